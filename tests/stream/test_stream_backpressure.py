"""More comes than can be decided: buffers stay within their bounds, and nothing is lost."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition

from tests.stream.bombs import as_made_before
from tests.stream.inprocess import working
from tests.stream.killing import events
from tests.stream.oracle import assert_exactly_once
from tests.stream.streamkit import Input, Stream, placed
from worker.stream import source
from worker.stream.intake import Intake
from worker.stream.lane import Lane
from worker.stream.records import _Batch
from worker.stream.unpacking import UNPACKED_BYTES

MIB = 1 << 20
LARGE = 500_000
"""Bytes of padding that make a record large."""
OF_A_BATCH = 26
"""Large records that one batch is still unpacked with."""


class Offer(NamedTuple):
    """What a lane held when records were offered to it, in records and bytes, and how many those were."""

    held: int
    held_bytes: int
    offered: int


class Observed:
    """What lanes of this process were offered, and what came of it, by partition."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offers: dict[int, list[Offer]] = defaultdict(list)
        self.holds: Counter[int] = Counter()
        """How often a lane held its partition because of what it was offered."""
        self.flows: Counter[int] = Counter()
        """How often it let its partition flow again after that."""
        self._offering = False
        self._held: set[int] = set()
        offer, hold, flow = Lane.offer, Intake.hold, Intake.flow

        def offered(lane: Lane, records: Sequence[ConsumerRecord]) -> None:
            held = Offer(len(lane._buffer), lane._buffer.bytes, len(records))
            self.offers[lane.partition.partition].append(held)
            self._offering = True
            offer(lane, records)
            self._offering = False

        def holding(intake: Intake) -> None:
            if self._offering:
                self.holds[intake.partition.partition] += 1
                self._held.add(intake.partition.partition)
            hold(intake)

        def flowing(intake: Intake) -> None:
            if intake.partition.partition in self._held:
                self.flows[intake.partition.partition] += 1
                self._held.remove(intake.partition.partition)
            flow(intake)

        monkeypatch.setattr(Lane, "offer", offered)
        monkeypatch.setattr(Intake, "hold", holding)
        monkeypatch.setattr(Intake, "flow", flowing)


async def decide_all(stream: Stream, records: Sequence[Input], **limits: Any) -> None:
    """Have a worker of this process, within these limits, decide what lies there; check what it published."""
    async with working(stream.settings.model_copy(update=limits)):
        await stream.drained(len(records))
    await assert_exactly_once(stream, records)


async def test_a_lane_above_its_high_water_is_offered_no_more_until_it_has_decided_enough(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = events(3_000, 31, 500)
    high, low = 100, 30
    observed = Observed(monkeypatch)
    await stream.publish(records)
    await decide_all(stream, records, buffer_high_records=high, buffer_low_records=low, batch_max_records=low)
    assert set(observed.offers) == set(range(stream.settings.partitions))
    for number, offers in observed.offers.items():
        assert max(offer.held for offer in offers) <= high
        assert high < max(offer.held + offer.offered for offer in offers) <= high + source.SLICE
        assert observed.flows[number] == observed.holds[number] > 1


async def test_the_bytes_of_large_records_are_bounded_though_a_fetch_brings_all_of_them(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compressed, all of a partition is a hundredth of what it comes to."""
    records = [padded(record) for record in events(400, 32, 50)]
    await as_made_before(stream)
    await stream.publish(records)
    await assert_bounded(stream, records, monkeypatch)


async def test_of_a_batch_of_many_large_records_no_more_is_made_than_its_lane_takes(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer's batch is unpacked as a whole, and one of them at a time; the collector is not needed."""
    made = placed(events(400, 33, 50), stream.settings.partitions)
    records = [padded(record) for there in made.values() for record in there[:OF_A_BATCH]]
    assert 10 * MIB < OF_A_BATCH * LARGE < UNPACKED_BYTES
    await as_made_before(stream)
    await publish_as_one_batch_each(stream, records)
    unpacked = Unpacked(monkeypatch)
    gc.disable()
    try:
        await assert_bounded(stream, records, monkeypatch)
    finally:
        gc.enable()
    assert unpacked.most == 1


async def assert_bounded(stream: Stream, records: Sequence[Input], monkeypatch: pytest.MonkeyPatch) -> None:
    observed = Observed(monkeypatch)
    await decide_all(stream, records, buffer_high_bytes=MIB)
    assert set(observed.offers) == set(range(stream.settings.partitions))
    for number, offers in observed.offers.items():
        assert max(offer.held_bytes for offer in offers) <= MIB
        assert max(offer.offered for offer in offers) <= source.SLICE
        assert sum(offer.offered for offer in offers) * LARGE > 10 * MIB
        assert observed.flows[number] == observed.holds[number] > 1


def padded(record: Input) -> Input:
    """The record with something large in it that the contract does not know and a worker passes over."""
    event = orjson.loads(record.value or b"")
    event["data"]["padding"] = "x" * LARGE
    return record._replace(value=orjson.dumps(event))


async def publish_as_one_batch_each(stream: Stream, records: Sequence[Input]) -> None:
    """Send all records of a partition as one batch."""
    async with AIOKafkaProducer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        max_batch_size=2 * LARGE * len(records),
        compression_type="lz4",
    ) as producer:
        for number, placed_there in placed(records, stream.settings.partitions).items():
            batch = producer.create_batch()
            for record in placed_there:
                batch.append(key=record.key, value=record.value, timestamp=None)
            await (await producer.send_batch(batch, stream.settings.input_topic, partition=number))
            assert batch.record_count() == len(placed_there)


class Unpacked:
    """How many batches that a consumer of this process has begun to read are in memory, at most."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = 0
        self._now = 0
        iterate = _Batch.__iter__

        def counted(batch: _Batch) -> Iterator[Any]:
            self._now += 1
            self.most = max(self.most, self._now)
            try:
                yield from iterate(batch)
            finally:
                self._now -= 1

        monkeypatch.setattr(_Batch, "__iter__", counted)


async def test_everything_else_has_its_turn_between_two_slices_and_not_before_one_is_buffered(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no time at all for a turn of the source, each slice is one."""
    records = events(1_000, 34, 100)
    await stream.publish(records)
    turns = Turns()
    drained: list[int] = []
    buffered: list[int] = []
    drain, offer = source.Source._drained, Lane.offer

    async def draining(one: source.Source, timeout_ms: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        fetched = await drain(one, timeout_ms)
        if fetched:
            drained.append(turns.count)
        return fetched

    def offering(lane: Lane, given: Sequence[ConsumerRecord]) -> None:
        buffered.append(turns.count)
        offer(lane, given)

    monkeypatch.setattr(source, "TURN_S", 0.0)
    monkeypatch.setattr(source.Source, "_drained", draining)
    monkeypatch.setattr(Lane, "offer", offering)
    async with turns.counted():
        await decide_all(stream, records)
    assert len(drained) >= len(records) / source.SLICE
    assert len(drained) == len(set(drained))
    assert set(buffered) == set(drained)


class Turns:
    """Counts how often the loop has come round."""

    def __init__(self) -> None:
        self.count = 0

    @asynccontextmanager
    async def counted(self) -> AsyncIterator[None]:
        counting = asyncio.ensure_future(self._count())
        try:
            yield
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)

    async def _count(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)
