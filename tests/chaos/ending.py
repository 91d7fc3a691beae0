"""The end of a run: what there is when all is quiet, read once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.chaos.cluster import OFFSETS, OFFSETS_PARTITIONS
from tests.chaos.commits import committed
from tests.chaos.evidence import Ends
from tests.chaos.verdict import Records
from tests.stream.streamkit import Stream, Stuck, until
from worker.stream.restore import restore

SETTLED_S = 60.0
"""Many times what it takes for open transactions to be over, and for the log cleaner to come round."""


class Histories(NamedTuple):
    """What the changelog holds, by partition and member, and of how many records it consists."""

    members: Mapping[int, Mapping[bytes, bytes]]
    records: int


class Final(NamedTuple):
    """Everything there is in the end."""

    source: Records
    results: Records
    dead_letters: Records
    histories: Histories
    ends: Mapping[TopicPartition, Ends]
    committed: Mapping[int, int]
    """The group's offset in each partition of the input."""
    aborted: int
    """Results of transactions that were aborted: they are in the log, and nobody is to see them."""


async def input_ends(stream: Stream) -> dict[int, int]:
    """Where the input ends in each partition."""
    settings = stream.settings
    places = [TopicPartition(settings.input_topic, number) for number in range(settings.partitions)]
    ends = await until(lambda: _end_offsets(stream, places, "read_uncommitted"), "the ends of the input")
    return {place.partition: end for place, end in ends.items()}


async def stable_ends(stream: Stream, topics: Iterable[str]) -> dict[TopicPartition, Ends]:
    """Where the logs of these topics and of the offsets end, as soon as no transaction is open any more.

    If one stays open, the ends will show it.
    """
    sizes = {**dict.fromkeys(topics, stream.settings.partitions), OFFSETS: OFFSETS_PARTITIONS}
    places = [TopicPartition(topic, number) for topic, size in sizes.items() for number in range(size)]
    ends: dict[TopicPartition, Ends] = {}

    async def are_stable() -> bool:
        stable = await _end_offsets(stream, places, "read_committed")
        high = await _end_offsets(stream, places, "read_uncommitted")
        ends.update({place: Ends(stable[place], high[place]) for place in places})
        return stable == high

    await _settled(are_stable, "no transaction to be open")
    return ends


async def read_all(stream: Stream, ends: Mapping[TopicPartition, Ends], written: int) -> Final:
    """Read everything up to ``ends``, once the log cleaner has been at the changelog.

    ``written`` records went into that. If it does not come round, what is read will show it.
    """
    histories = await _histories(stream, written)
    source, results = await stream.read(stream.settings.input_topic), await stream.results()
    there = await _written(stream, {place: end.high for place, end in ends.items()})
    return Final(
        source,
        results,
        await stream.dead_letters(),
        histories,
        ends,
        await _committed(stream),
        there - sum(map(len, results.values())),
    )


async def _end_offsets(
    stream: Stream, places: list[TopicPartition], isolation: str
) -> dict[TopicPartition, int]:
    async with AIOKafkaConsumer(
        bootstrap_servers=stream.settings.bootstrap_servers, isolation_level=isolation
    ) as consumer:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
    return ends


async def _histories(stream: Stream, written: int) -> Histories:
    """What a worker would restore, as soon as that takes fewer records than were written."""
    found = Histories({}, 0)

    async def are_cleaned() -> bool:
        nonlocal found
        restored = {
            number: await restore(number, stream.settings) for number in range(stream.settings.partitions)
        }
        members = {number: one.histories for number, one in restored.items()}
        found = Histories(members, sum(one.records for one in restored.values()))
        return found.records < written

    await _settled(are_cleaned, "the log cleaner to come round")
    return found


async def _written(stream: Stream, ends: Mapping[TopicPartition, int]) -> int:
    """How many results there are in the logs, whatever became of their transactions."""
    places = [place for place in ends if place.topic == stream.settings.results_topic]
    count = 0
    async with AIOKafkaConsumer(
        bootstrap_servers=stream.settings.bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(places)

        async def is_counted() -> bool:
            nonlocal count
            count += sum(map(len, (await consumer.getmany(timeout_ms=50)).values()))
            return all([await consumer.position(place) >= ends[place] for place in places])

        await until(is_counted, "the end of the results")
    return count


async def _committed(stream: Stream) -> dict[int, int]:
    async with stream.administration() as client:
        told: dict[int, int] = await until(
            lambda: committed(client, stream.settings), "the group's offsets to be told"
        )
    return told


async def _settled(asked: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for it; that it does not come about is for the judge to say."""
    with suppress(Stuck):
        await until(asked, what, SETTLED_S)
