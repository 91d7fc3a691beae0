"""More comes than can be decided: buffers stay within their bounds, and nothing is lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson
import pytest
from aiokafka import ConsumerRecord

from tests.stream.inprocess import working
from tests.stream.killing import events
from tests.stream.oracle import assert_exactly_once
from tests.stream.streamkit import Input, Stream
from worker.stream import source
from worker.stream.intake import Intake
from worker.stream.lane import Lane

MIB = 1 << 20
LARGE = 500_000
"""Bytes of padding that make a record large."""


class Offer(NamedTuple):
    """What a lane held when records were offered to it, in records and bytes, and how many those were."""

    held: int
    held_bytes: int
    offered: int


class Observed:
    """What lanes of this process were offered, and how often they held their partition and let it flow."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offers: dict[int, list[Offer]] = defaultdict(list)
        self.holds: list[int] = []
        self.flows: list[int] = []
        offer = Lane.offer

        def offered(lane: Lane, records: Sequence[ConsumerRecord]) -> None:
            self.offers[lane.partition.partition].append(
                Offer(len(lane._buffer), lane._buffered_bytes, len(records))
            )
            offer(lane, records)

        monkeypatch.setattr(Lane, "offer", offered)
        monkeypatch.setattr(Intake, "hold", self._counting(Intake.hold, self.holds))
        monkeypatch.setattr(Intake, "flow", self._counting(Intake.flow, self.flows))

    @staticmethod
    def _counting(method: Callable[[Intake], None], into: list[int]) -> Callable[[Intake], None]:
        def counted(intake: Intake) -> None:
            into.append(intake.partition.partition)
            method(intake)

        return counted


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
        assert max(offer.held + offer.offered for offer in offers) <= high + source.SLICE
        assert observed.holds.count(number) > 1
        assert observed.flows.count(number) > 1


async def test_the_bytes_of_large_records_are_bounded_however_well_they_are_compressed(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One fetch brings all of a partition: compressed, that is a hundredth of it."""
    records = [padded(record) for record in events(400, 32, 50)]
    observed = Observed(monkeypatch)
    await stream.publish(records)
    await decide_all(stream, records, buffer_high_bytes=MIB)
    for offers in observed.offers.values():
        assert max(offer.held_bytes for offer in offers) <= MIB
        assert max(offer.offered for offer in offers) <= source.SLICE
        assert sum(offer.offered for offer in offers) * LARGE > 10 * MIB


def padded(record: Input) -> Input:
    """The record with something large in it that the contract does not know and a worker passes over."""
    event = orjson.loads(record.value or b"")
    event["data"]["padding"] = "x" * LARGE
    return record._replace(value=orjson.dumps(event))
