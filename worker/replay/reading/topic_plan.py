"""The plan of a replay of topics: what there is, asked of the brokers in the order that makes it whole."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition

from worker.replay.reading.evidence import EvidenceError, Shard, Span
from worker.replay.reading.window import Moment, Offset, refuse_empty
from worker.stream.bounded import STOP_S
from worker.stream.connection import connection
from worker.stream.coordinator import heed_coordinators
from worker.stream.errors import Refused
from worker.stream.tasks import ended_within, outlive
from worker.stream.topics import ABSENT, admin, partition_counts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.replay.reading.window import Bound, Bounds
    from worker.settings import Settings

Offsets: TypeAlias = dict[int, int]
"""By partition."""

LOOK_S = 0.05
"""Between two looks at a transaction that is open."""
FROM_FILES = "replay archived files instead (--events, --results), and keep the topic longer from now on"


async def plan(settings: Settings, bounds: Bounds) -> tuple[Shard, ...]:
    """A shard a partition, as the brokers tell it now.

    A worker may go on meanwhile, so each question is asked after those whose answers it must cover, of all
    partitions: first what the group has committed, then where the results end, so that those of each decided
    event lie before it, and last where the events end, so that those which a result names lie before it. A
    window is told of all events here, decided or not.

    Raises EvidenceError if the evidence is cut off or does not fit the settings, Refused if a topic is not
    there, TimeoutError if a transaction of the results does not end, and what aiokafka raises.
    """
    await _check_counts(settings)
    heed_coordinators()
    async with _asking(settings, "read_uncommitted") as every, _asking(settings, "read_committed") as stable:
        first = await every.firsts(settings.input_topic)
        _refuse_cut(first, settings)
        committed = await stable.committed()
        results_first = await every.firsts(settings.results_topic)
        results_ends = await _settled_ends(every, stable, settings)
        ends = await stable.ends(settings.input_topic)
        begins = await _places(every, bounds.begin, "--from", first, ends)
        window_ends = await _places(every, bounds.end, "--to", ends, ends)
    decided = _decided(committed, first, ends)
    shards = []
    for number in range(settings.partitions):
        window = _window(Span(first[number], ends[number]), begins[number], window_ends[number])
        results = Span(results_first[number], results_ends[number])
        events = Span(first[number], decided[number])
        shards.append(Shard(number, events, window, ends[number], results))
    refuse_empty(bounds, has_events=any(shard.window.begin < shard.window.end for shard in shards))
    return tuple(shards)


class _Asking:
    """What a consumer without an assignment can be asked; it never joins the group that it names."""

    def __init__(self, consumer: AIOKafkaConsumer, settings: Settings) -> None:
        self.input_topic = settings.input_topic
        self._consumer = consumer
        self._settings = settings

    async def firsts(self, topic: str) -> Offsets:
        """Where the partitions' logs begin."""
        return _by_number(await self._consumer.beginning_offsets(self._all(topic)))

    async def ends(self, topic: str) -> Offsets:
        """Where they end: that of all records, or with read_committed that of the stable ones."""
        return _by_number(await self._consumer.end_offsets(self._all(topic)))

    async def at(self, ms: int) -> dict[int, int | None]:
        """Offset of the first event with a timestamp at or after ``ms``; None where there is none."""
        places = self._all(self.input_topic)
        found = await self._consumer.offsets_for_times(dict.fromkeys(places, ms))
        return {place.partition: at and at.offset for place, at in found.items()}

    async def committed(self) -> dict[int, int | None]:
        """The group's committed offsets of the input; None where there is none.

        Each partition is asked for by itself: in a worker that works there is always an offset pending, and
        the answer to a question after several waits until of none of them one is.
        """
        places = self._all(self.input_topic)
        patience = self._settings.patience_s
        try:
            async with asyncio.timeout(patience):
                found = await asyncio.gather(*[self._consumer.committed(place) for place in places])
        except TimeoutError:
            raise TimeoutError(
                f"group {self._settings.app_id}: what it has committed could not be told for {patience:g} s"
            ) from None
        return {place.partition: offset for place, offset in zip(places, found, strict=True)}

    def _all(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self._settings.partitions)]


def _by_number(offsets: dict[TopicPartition, int]) -> Offsets:
    return {place.partition: offset for place, offset in offsets.items()}


@asynccontextmanager
async def _asking(settings: Settings, isolation: str) -> AsyncIterator[_Asking]:
    consumer = AIOKafkaConsumer(
        **connection(settings),
        # Committed offsets are told to those that name the group; only subscribing would join it.
        group_id=settings.app_id if isolation == "read_committed" else None,
        isolation_level=isolation,
        enable_auto_commit=False,
    )
    try:
        async with asyncio.timeout(settings.request_timeout_s):
            await consumer.start()
        yield _Asking(consumer, settings)
    finally:
        await asyncio.shield(outlive(ended_within(STOP_S, consumer.stop())))


async def _check_counts(settings: Settings) -> None:
    async with admin(settings) as client:
        counts = await partition_counts(client)
    topics = settings.input_topic, settings.results_topic
    for topic in topics:
        if topic not in counts:
            raise Refused(f"topic {topic} {ABSENT}")
    found = [counts[topic] for topic in topics]
    if found[0] != found[1]:
        raise EvidenceError(
            f"{topics[0]} has {found[0]} partitions and {topics[1]} has {found[1]}: they are not of one "
            "worker; name the two that are (MMS_INPUT_TOPIC, MMS_RESULTS_TOPIC)"
        )
    if found[0] != settings.partitions:
        raise EvidenceError(
            f"{topics[0]} and {topics[1]} have {found[0]} partitions, MMS_PARTITIONS says "
            f"{settings.partitions}; set it as the worker had it"
        )


def _refuse_cut(first: Offsets, settings: Settings) -> None:
    """History before the window decides what is in it: all of it must be there."""
    cut = [f"{number} begins at offset {offset}" for number, offset in sorted(first.items()) if offset > 0]
    if cut:
        raise EvidenceError(
            f"{settings.input_topic} is cut off, what came before is needed to know its members' histories: "
            f"partition {', '.join(cut)}; {FROM_FILES}"
        )


def _decided(committed: dict[int, int | None], first: Offsets, ends: Offsets) -> Offsets:
    """Up to where the group says that events are decided; what is not yet cannot be missing.

    Of a partition without an offset it says nothing: it was never begun, the offset has expired, or the
    cluster is another one. Then results tell how far it was decided (``prechecks.decided_parts``).
    """
    return {
        number: max(first[number], min(ends[number], offset or 0)) for number, offset in committed.items()
    }


async def _settled_ends(every: _Asking, stable: _Asking, settings: Settings) -> Offsets:
    """Ends of the results behind all that is written now, each between two transactions.

    When an offset can be seen to be committed, the results that were committed with it may not be yet. And an
    end within a transaction could lie between two results of one event: the other would be told as missing.
    So the transactions that are open now are waited for.
    """
    topic, patience = settings.results_topic, settings.patience_s
    written = await every.ends(topic)
    since = time.monotonic()
    while True:
        ends = await stable.ends(topic)
        behind = next((number for number, end in written.items() if ends[number] < end), None)
        if behind is None:
            return ends
        if time.monotonic() - since > patience:
            raise TimeoutError(
                f"partition {behind} of {topic}: a transaction that began at offset {ends[behind]} has not "
                f"ended for {patience:g} s"
            )
        await asyncio.sleep(LOOK_S)


async def _places(
    asking: _Asking, bound: Bound | None, option: str, without: Offsets, behind: Offsets
) -> Offsets:
    """A bound by partition: ``without`` where there is none, ``behind`` where no event is so late."""
    if bound is None:
        return without
    topic, count = asking.input_topic, len(without)
    if isinstance(bound, Offset):
        return dict.fromkeys(without, bound.offset)
    if isinstance(bound, Moment):
        found = await asking.at(bound.ms)
        return {number: behind[number] if at is None else at for number, at in found.items()}
    for partition, _ in bound.by_partition:
        if partition >= count:
            raise EvidenceError(f"{option}: {topic} has no partition {partition}, it has {count}")
    return without | dict(bound.by_partition)


def _window(events: Span, begin: int, end: int) -> Span:
    """The part of ``events`` that is asked for. A time and an offset can miss each other: then none."""
    begin, end = (min(max(place, events.begin), events.end) for place in (begin, end))
    return Span(begin, max(begin, end))
