"""How far a worker is behind, where it would rather look healthy: cut off, or failing again and again."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

from tests.conftest import NewBroker
from tests.stream.inprocess import owner, ready, working
from tests.stream.streamkit import PARTITIONS, Stream, Worker, neighbours, partition, until
from worker.stream.metrics import Metrics
from worker.stream.transactions.producer import TransactionalProducer

LONG_AGO_MS = 1_700_000_000_000


async def lag(worker: Worker, series: str) -> list[float]:
    """What it says of each partition; nothing of those of which it says nothing."""
    _, page = await worker.get("/metrics")
    return [float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(series)]


@pytest.fixture
async def fragile(new_broker: NewBroker, prefix: str, tmp_path: Path) -> AsyncIterator[tuple[Stream, int]]:
    """A stream on a broker of its own, and the process to freeze."""
    with new_broker() as broker, ExitStack() as ending:
        made = Stream(broker.bootstrap, prefix, tmp_path, ending)
        await made.create_topics()
        assert broker.pid is not None
        ending.callback(os.kill, broker.pid, signal.SIGCONT)
        yield made, broker.pid


async def test_idle_lanes_whose_broker_is_not_heard_any_more_do_not_count_as_working(
    fragile: tuple[Stream, int],
) -> None:
    stream, broker = fragile
    worker = stream.worker()

    async def work(lanes: int) -> bool:
        return await worker.metric("mms_working_partitions") == lanes

    await until(lambda: work(PARTITIONS), "all lanes to work")
    await until(lambda: told(worker, PARTITIONS), "the lag of all partitions")
    os.kill(broker, signal.SIGSTOP)
    await until(lambda: work(0), "no lane to count")
    assert (
        await lag(worker, "mms_consumer_lag_records{") == await lag(worker, "mms_consumer_lag_seconds{") == []
    )
    os.kill(broker, signal.SIGCONT)
    await until(lambda: work(PARTITIONS), "all lanes to work again")
    await until(lambda: told(worker, PARTITIONS), "the lag of all partitions again")


async def told(worker: Worker, partitions: int) -> bool:
    return await lag(worker, "mms_consumer_lag_seconds{") == [0.0] * partitions


async def test_what_a_lane_cannot_commit_waits_since_it_came_in_for_as_long_as_it_fails(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    (record,) = neighbours(1, seed=91)
    waited: list[int | None] = []

    async with owner(stream, partition(record)) as worker:
        lane = await worker.own()

        async def unanswered(*_: object) -> float:
            waited.append(lane.behind_since)
            raise KafkaTimeoutError

        with monkeypatch.context() as failing:
            failing.setattr(TransactionalProducer, "commit", unanswered)
            await stream.publish([record], timestamp=LONG_AGO_MS)
            await until(lambda: len(waited) == 4, "the lane to fail again and again")
            await until(lambda: not lane.is_open, "it to begin again")
            assert {*waited, lane.behind_since} == {LONG_AGO_MS}
        await stream.drained(1)
        await until(lambda: lane.is_idle, "its commit to be known")
        assert lane.behind_since is None


async def test_a_worker_says_how_far_a_failing_lane_is_behind(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    (record,) = neighbours(1, seed=92)
    place, topic = partition(record), stream.settings.input_topic

    async with working(stream.settings) as (engine, _):
        await ready(engine)

        async def fails(*_: object) -> float:
            raise KafkaTimeoutError

        monkeypatch.setattr(TransactionalProducer, "commit", fails)
        await stream.publish([record], timestamp=LONG_AGO_MS)

        def behind() -> tuple[float | None, bool]:
            return (
                sample(engine.metrics, "mms_consumer_lag_records", topic, place),
                (sample(engine.metrics, "mms_consumer_lag_seconds", topic, place) or 0) > 1e6,
            )

        await until(lambda: behind() == (1, True), "the record to be told")
        monkeypatch.undo()
        await until(lambda: behind() == (0, False), "the record to be committed")


async def test_a_lane_whose_commit_was_carried_out_and_not_answered_is_not_behind(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    (record,) = neighbours(1, seed=94)
    place, topic = partition(record), stream.settings.input_topic
    commit = TransactionalProducer.commit

    async with working(stream.settings) as (engine, _):
        await ready(engine)

        async def unanswered(*given: Any) -> float:
            await commit(*given)
            monkeypatch.undo()
            raise KafkaTimeoutError

        monkeypatch.setattr(TransactionalProducer, "commit", unanswered)
        await stream.publish([record], timestamp=LONG_AGO_MS)
        await stream.drained(1)
        restarted = "mms_lane_restarts_total"
        await until(
            lambda: engine.metrics.registry.get_sample_value(restarted, {"reason": "error"}),
            "the lane to begin again",
        )

        def told() -> list[float | None]:
            series = ("stable_offset", "consumer_lag_records", "consumer_lag_seconds")
            return [sample(engine.metrics, f"mms_{one}", topic, place) for one in series]

        await until(lambda: told() == [1, 0, 0], "nothing to be behind")


def sample(metrics: Metrics, series: str, topic: str, place: int) -> float | None:
    return metrics.registry.get_sample_value(series, {"topic": topic, "partition": str(place)})


async def test_what_an_open_transaction_holds_up_is_told_though_nobody_can_read_it(stream: Stream) -> None:
    (record,) = neighbours(1, seed=93)
    place, settings = partition(record), stream.settings
    labels = f'partition="{place}",topic="{settings.input_topic}"'
    worker = stream.worker()
    await worker.ready()

    async def said(unstable: float, stable: float) -> bool:
        return [
            await worker.metric(f"mms_unstable_records{{{labels}}}"),
            await worker.metric(f"mms_stable_offset{{{labels}}}"),
        ] == [unstable, stable]

    await until(lambda: said(0, 0), "an empty log")
    async with AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers, transactional_id=f"{settings.app_id}-upstream"
    ) as upstream:
        await upstream.begin_transaction()
        await upstream.send_and_wait(settings.input_topic, record.value, key=record.key, partition=place)
        await until(lambda: said(1, 0), "the record that cannot be read yet")
        assert await worker.metric(f"mms_consumer_lag_records{{{labels}}}") == 0
        await upstream.commit_transaction()
    await stream.drained(1)
    await until(lambda: said(0, 2), "the record and its marker")
