"""Transactions that are open: since when, by the clocks of brokers, and whether anybody is there to end them.

The time of a record tells nothing of that: its producer sets it, often to the time of what it tells of.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, NoError

from worker.stream.status.asking import COMMITTED, LATEST, Part
from worker.stream.status.batch import batches
from worker.stream.status.transaction_requests import DescribeTransactionsRequest, ListTransactionsRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from worker.stream.status.asking import Asking
    from worker.stream.status.tails import Span

WITNESS_BYTES = 64 << 10
"""Asked for at a time in search of a batch that a broker has dated."""
MOST_LOOKS = 16
"""Looks after which that search is given up."""


class Opened(NamedTuple):
    """What the brokers tell of the transaction that begins at a partition's last stable offset."""

    producer: int
    since_ms: int | None
    """When it was open for certain, in milliseconds since 1970; None if no broker tells."""
    timeout_ms: int | None
    """After how long its coordinator aborts it; None if that one does not tell this user."""
    is_abandoned: bool
    """Whether its coordinator has no part in it any more: nobody will end it."""


class _Coordinated(NamedTuple):
    """What the coordinator of a producer tells of its transaction."""

    since_ms: int
    timeout_ms: int
    places: frozenset[TopicPartition]


async def opened(asking: Asking, spans: Mapping[TopicPartition, Span]) -> dict[TopicPartition, Opened]:
    """The transactions that are open, where spans go from a last stable offset to the high watermark.

    What has ended until all was asked is left out: it would look as if its coordinator had no part in it.
    """
    answers = await asking.fetched({place: Part(span.first) for place, span in spans.items()})
    firsts = {place: next(batches(fetched.content), None) for place, fetched in answers.items()}
    producers = {place: batch.producer for place, batch in firsts.items() if batch and batch.is_transactional}
    told = await _coordinated(asking, set(producers.values()))
    found = {}
    for place, producer in producers.items():
        by = told.get(producer)
        if by is None or place not in by.places:
            found[place] = Opened(producer, None, None, is_abandoned=by is not None)
        else:
            found[place] = Opened(producer, by.since_ms, by.timeout_ms, is_abandoned=False)
    undated = {place: spans[place] for place, one in found.items() if one.since_ms is None}
    for place, since_ms in (await _witnessed(asking, undated)).items():
        found[place] = found[place]._replace(since_ms=since_ms)
    still = await asking.offsets(found, LATEST, COMMITTED)
    return {place: one for place, one in found.items() if still[place] == spans[place].first}


async def _coordinated(asking: Asking, producers: Collection[int]) -> dict[int, _Coordinated]:
    """By producer, what the coordinators tell; nothing of those that this user may not describe."""
    if not producers:
        return {}
    answers = await asyncio.gather(*[_told_by(asking, node, producers) for node in asking.nodes])
    return {producer: one for answer in answers for producer, one in answer.items()}


async def _told_by(asking: Asking, node: int, producers: Collection[int]) -> dict[int, _Coordinated]:
    """What one broker tells: nothing while it cannot, or if it is older than these questions."""
    try:
        listed = await asking.ask(ListTransactionsRequest(sorted(producers)), node)
        ids = [id_ for id_, *_ in listed.transactions]
        if not ids:
            return {}
        described = await asking.ask(DescribeTransactionsRequest(ids), node)
    except KafkaError:
        return {}
    return {
        producer: _Coordinated(
            since_ms,
            timeout_ms,
            frozenset(TopicPartition(topic, number) for topic, numbers, _ in topics for number in numbers),
        )
        for error, _, _, timeout_ms, since_ms, producer, _, topics, _ in described.transactions
        if error == NoError.errno
    }


async def _witnessed(asking: Asking, spans: Mapping[TopicPartition, Span]) -> dict[TopicPartition, int]:
    """The first time that a broker has set from the beginning of each span on: it was open by then.

    Brokers date markers, and everything in a topic with ``message.timestamp.type=LogAppendTime``.
    """
    found: dict[TopicPartition, int] = {}
    at = {place: span.first for place, span in spans.items()}
    for _ in range(MOST_LOOKS):
        at = {place: offset for place, offset in at.items() if offset < spans[place].end}
        if not at:
            break
        answers = await asking.fetched({place: Part(offset, WITNESS_BYTES) for place, offset in at.items()})
        for place, fetched in answers.items():
            next_offset = spans[place].end
            for batch in batches(fetched.content):
                next_offset = batch.next_offset
                if batch.is_dated_by_broker:
                    found[place], next_offset = batch.last_ms, spans[place].end
                    break
            at[place] = next_offset
    return found
