"""What was seen of a run beside its records, and what is wrong with it.

Each check gives the places at which something is wrong, in words and without a value: none when all is well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition


class Seen(NamedTuple):
    """A record as somebody saw it, small enough to keep all of them."""

    offset: int
    digest: bytes


class Ends(NamedTuple):
    """Where a partition's log ends: behind its last stable record, and behind its last record of all."""

    stable: int
    high: int


class Sent(NamedTuple):
    """What a producer knows of the input."""

    acknowledged: Mapping[TopicPartition, Sequence[Seen]]
    unknown: int
    """Records that were sent and of which the broker has told nothing: each may be there or not."""


class Evidence(NamedTuple):
    """What else is known of a run; what is left out is not looked at."""

    sent: Sent | None = None
    watched: Mapping[TopicPartition, Sequence[Seen]] = {}
    """What a read_committed consumer saw of results and dead letters while they were written."""
    committed: Mapping[int, Sequence[int]] = {}
    """Every offset that the group has committed in each partition, in order; -1 where one was taken away."""
    at_end: Mapping[int, tuple[int, int]] = {}
    """In each partition the group's offset in the end, and the end of the input."""
    histories: Sequence[Mapping[int, Mapping[bytes, bytes]]] = ()
    """Each view of the changelog, by partition and member: what a worker would restore from it, say."""
    replayed: Sequence[bytes] | None = None
    """Results of the accepted input decided once more elsewhere, partition after partition."""
    ends: Mapping[TopicPartition, Ends] = {}


def seen(record: ConsumerRecord) -> Seen:
    """A record as a consumer has it."""
    return Seen(record.offset, digest_of(record.key, record.value, record.timestamp, record.headers))


def digest_of(
    key: bytes | None, value: bytes | None, timestamp: int, headers: Iterable[tuple[str, bytes | None]]
) -> bytes:
    """A digest of all that a record is but its place."""
    return blake2b(repr((key, value, timestamp, list(headers))).encode(), digest_size=16).digest()


def wrong_input(sent: Sent | None, read: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> Iterator[str]:
    """Records that were acknowledged and are not there as they were sent, or are there and were not sent."""
    if sent is None:
        return
    unknown = sent.unknown
    for place in sorted(read.keys() | sent.acknowledged.keys()):
        there = dict(seen(record) for record in read.get(place, ()))
        told = dict(sent.acknowledged.get(place, ()))
        for offset in sorted(there.keys() | told.keys()):
            if offset not in told and unknown:
                unknown -= 1
            elif there.get(offset) != told.get(offset):
                yield at(place, offset)


def wrong_views(
    watched: Mapping[TopicPartition, Sequence[Seen]],
    final: Mapping[TopicPartition, Sequence[ConsumerRecord]],
) -> Iterator[str]:
    """Records that were not seen while they were written as they are found in the end."""
    for place, views in sorted(watched.items()):
        before, after = list(views), [seen(record) for record in final.get(place, ())]
        unlike = sorted(set(before) ^ set(after))
        yield from (at(place, one.offset) for one in unlike)
        if not unlike and before != after:
            yield f"partition {place.partition} of {place.topic}: in another order, or twice"


def offsets_that_went_back(committed: Mapping[int, Sequence[int]]) -> Iterator[str]:
    for partition, offsets in sorted(committed.items()):
        for before, after in pairwise(offsets):
            if after < before:
                yield f"partition {partition}: from {before} to {after}"


def offsets_not_at_the_end(at_end: Mapping[int, tuple[int, int]]) -> Iterator[str]:
    for partition, (committed, end) in sorted(at_end.items()):
        if committed != end and (committed, end) != (-1, 0):  # of nothing nothing need be committed
            yield f"partition {partition}: {committed}, not {end}"


def hanging_transactions(ends: Mapping[TopicPartition, Ends]) -> Iterator[str]:
    for place, end in sorted(ends.items()):
        if end.stable != end.high:
            yield f"partition {place.partition} of {place.topic}: stable to {end.stable} of {end.high}"


def wrong_histories(
    views: Iterable[Mapping[int, Mapping[bytes, bytes]]], expected: Mapping[int, Mapping[bytes, bytes]]
) -> Iterator[str]:
    """Members whose history is not the oracle's, told by partition: a member's id is not for messages."""
    for view in views:
        for partition, histories in sorted(expected.items()):
            found = view.get(partition, {})
            for member in sorted(histories.keys() | found.keys()):
                if histories.get(member) != found.get(member):
                    yield f"a member of partition {partition}"


def wrong_replay(replayed: Sequence[bytes] | None, decided: Sequence[bytes | None]) -> Iterator[str]:
    """Results that came out otherwise when the same input was decided once more."""
    if replayed is None:
        return
    for place, (once, again) in enumerate(zip(decided, replayed, strict=False)):
        if once != again:
            yield f"result {place} of all"
    if len(decided) != len(replayed):
        yield f"{len(replayed)} results, not {len(decided)}"


def at(place: TopicPartition, offset: int) -> str:
    return f"partition {place.partition} of {place.topic} offset {offset}"


def by_place(
    topic: str, records: Mapping[int, Sequence[ConsumerRecord]]
) -> dict[TopicPartition, Sequence[ConsumerRecord]]:
    """Records of one topic, by partition number, by their partition."""
    return {TopicPartition(topic, number): found for number, found in records.items()}
