"""Each claim has exactly one result, whatever happens to workers and brokers."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import NewBroker
from tests.stream.oracle import assert_exactly_once
from tests.stream.streamkit import Stream, Worker, claims, until

SMALL_BATCH = 20
"""Records a batch where a fault must find the lanes in flight: with larger ones the work could be over."""


async def test_a_killed_worker_leaves_neither_a_lost_nor_a_second_result(stream: Stream) -> None:
    records = claims(8_000)
    await stream.publish(records)
    first = stream.worker(batch_max_records=SMALL_BATCH)
    await stream.drained(2_000)
    first.kill()
    assert 2_000 <= await stream.committed() < 8_000
    stream.worker()
    await stream.drained(8_000)
    await assert_exactly_once(stream, records)


async def test_a_worker_that_is_told_to_stop_finishes_what_it_holds_and_exits_0(stream: Stream) -> None:
    records = claims(4_000, seed=11)
    await stream.publish(records)
    first = stream.worker(batch_max_records=SMALL_BATCH)
    await stream.drained(500)
    os.kill(first.pid, signal.SIGTERM)
    assert await first.ended() == 0
    committed = await stream.committed()
    assert 500 <= committed < 4_000
    assert sum(map(len, (await stream.results()).values())) == committed
    stream.worker()
    await stream.drained(4_000)
    await assert_exactly_once(stream, records)


async def test_workers_that_come_and_go_lose_and_repeat_nothing(stream: Stream) -> None:
    records = claims(5_000, seed=12)
    first = stream.worker(batch_max_records=SMALL_BATCH)
    await first.ready()
    await stream.publish(records[:2_500])
    second = stream.worker(batch_max_records=SMALL_BATCH)
    await second.ready()
    await stream.publish(records[2_500:])
    await stream.drained(3_000)
    os.kill(first.pid, signal.SIGTERM)
    assert await first.ended() == 0
    await stream.drained(5_000)
    await assert_exactly_once(stream, records)
    assert await second.metric("mms_assigned_partitions") == 4
    assert await second.metric("mms_rebalances_total") >= 2


async def test_a_worker_that_was_taken_for_dead_is_fenced_and_joins_again(stream: Stream) -> None:
    records = claims(3_000, seed=13)
    await stream.publish(records[:2_500])
    zombie = stream.worker(session_timeout_s=6, batch_max_records=SMALL_BATCH)
    await stream.drained(500)
    os.kill(zombie.pid, signal.SIGSTOP)
    heir = stream.worker(session_timeout_s=6)
    await stream.drained(2_500)
    os.kill(zombie.pid, signal.SIGCONT)
    await until(lambda: len(zombie.said("partitions assigned")) > 1, "the zombie to join again")
    await stream.publish(records[2_500:])
    await stream.drained(3_000)
    await assert_exactly_once(stream, records)
    assert zombie.exit_code is None
    assert heir.exit_code is None


async def test_a_fenced_worker_drops_its_lanes_and_joins_again(stream: Stream) -> None:
    records = claims(2_000, seed=14)
    worker = stream.worker()
    await stream.publish(records[:1_000])
    await stream.drained(1_000)
    for partition in range(stream.settings.partitions):
        await stream.fence(partition)
    await stream.publish(records[1_000:])
    await stream.drained(2_000)
    await assert_exactly_once(stream, records)
    assert len(worker.said("fenced: all lanes dropped, joining again")) == 1
    assert len(worker.said("joining group")) == len(worker.said("rejoining group")) == 1
    assert await worker.metric('mms_lane_restarts_total{reason="fenced"}') >= 1


@pytest.fixture
async def fragile(new_broker: NewBroker, prefix: str, tmp_path: Path) -> AsyncIterator[tuple[Stream, int]]:
    """A stream on a broker of its own, which may be harmed."""
    broker = new_broker()
    with broker, ExitStack() as ending:
        made = Stream(broker.bootstrap, prefix, tmp_path, ending)
        await made.create_topics()
        assert broker.pid is not None
        ending.callback(os.kill, broker.pid, signal.SIGCONT)
        yield made, broker.pid


async def test_a_broker_that_hangs_makes_lanes_begin_again_and_nothing_is_lost(
    fragile: tuple[Stream, int],
) -> None:
    stream, broker = fragile
    records = claims(3_000, seed=15)
    await stream.publish(records)
    worker = stream.worker(batch_deadline_s=1, producer_start_deadline_s=2, batch_max_records=SMALL_BATCH)
    await stream.drained(500)
    os.kill(broker, signal.SIGSTOP)
    await until(lambda: worker.said("lane begins again"), "a lane to give its producer up")
    os.kill(broker, signal.SIGCONT)
    await stream.drained(3_000)
    await assert_exactly_once(stream, records)
    assert await restarts(worker) >= 1


async def restarts(worker: Worker) -> float:
    reasons = ("timeout", "error")
    return sum([await worker.metric(f'mms_lane_restarts_total{{reason="{reason}"}}') for reason in reasons])
