"""Workers may be killed at any moment: what is published, and what is kept, is what the oracle says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest

from tests.conftest import NewBroker
from tests.stream.killing import QUICK, QUICK_BROKER, events, following, kills, work_through
from tests.stream.oracle import assert_exactly_once, assert_same
from tests.stream.streamkit import Stream

EVENTS = 20_000
MEMBERS = 2_000
KILLS = 8
FEW_EVENTS = 4_000
LARGE_BATCHES = {**QUICK, "batch_max_records": 1000}
"""A transaction that takes its time."""
PARTITIONS = 8


@pytest.fixture
async def stream(new_broker: NewBroker, prefix: str, tmp_path: Path) -> AsyncIterator[Stream]:
    """Eight partitions on a broker of the test's own, which allows for short sessions."""
    with new_broker(**QUICK_BROKER) as broker, ExitStack() as ending:
        made = Stream(broker.bootstrap, prefix, tmp_path, ending, partitions=PARTITIONS)
        await made.create_topics()
        yield made


def has_written(home: Path, topic: str) -> bool:
    """Whether the broker under ``home`` has a record in any partition of a topic."""
    return any(log.stat().st_size for log in home.glob(f"kafka-*/data/{topic}-*/*.log"))


async def test_a_worker_killed_when_the_first_result_is_in_the_log_leaves_nothing_that_stops_the_next(
    stream: Stream, tmp_path: Path
) -> None:
    records = events(FEW_EVENTS, 7, MEMBERS)
    await stream.publish(records)
    worker = stream.worker(**LARGE_BATCHES)

    def kill_in_its_first_transaction() -> None:
        while worker.exit_code is None and not has_written(tmp_path, stream.settings.results_topic):
            pass  # any pause could be longer than the transaction
        worker.kill()

    await asyncio.to_thread(kill_in_its_first_transaction)
    assert await stream.committed() < FEW_EVENTS
    stream.worker(**LARGE_BATCHES)
    await stream.drained(FEW_EVENTS)
    await assert_exactly_once(stream, records)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 7))])
async def test_workers_killed_at_random_publish_and_keep_what_the_oracle_says(
    stream: Stream, seed: int
) -> None:
    records = events(EVENTS, seed, MEMBERS)
    await stream.publish(records)
    async with following(stream) as seen:
        await work_through(stream, EVENTS, kills(seed, EVENTS, KILLS))
    await assert_exactly_once(stream, records)

    final = await stream.results()
    for number in range(PARTITIONS):
        assert_same(
            [(record.offset, record.value) for record in seen[number]],
            [(record.offset, record.value) for record in final[number]],
            f"results of partition {number} as they were written",
        )
    revisions = [orjson.loads(record.value)["revision"] for written in final.values() for record in written]
    assert sum(revision > 1 for revision in revisions) > EVENTS // 20
    assert await stream.dead_letters()
