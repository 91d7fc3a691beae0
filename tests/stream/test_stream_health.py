"""What liveness and readiness make of moments in which a worker has nothing to do."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from tests.stream.inprocess import ready, working
from tests.stream.slow import LONG_S, slow_member
from tests.stream.streamkit import Stream, Worker, until
from worker.devkit.kafka import KafkaBroker
from worker.settings import Settings
from worker.stream.core import Core, load_core
from worker.stream.engine import Engine
from worker.stream.health import DEAD_AFTER_S, Pulse

BEATS = 4
"""So often it has looked up: the loop does once a second, whatever it waits for."""


async def test_a_worker_in_a_rebalance_that_another_member_holds_up_is_not_dead(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = stream.settings.model_copy(update={"session_timeout_s": LONG_S})
    async with working(settings) as (engine, _):
        await ready(engine)
        beats = counted(engine.pulse, monkeypatch)
        async with slow_member(stream) as slow:
            await until(lambda: not engine.not_ready(), "a share for either")
            stream.worker(session_timeout_s=LONG_S)
            await slow.is_asked.wait()
            waiting = "an assignment from the group"
            await until(lambda: waiting in engine.not_ready(), "the worker to wait for the slow one")
            beats.clear()
            await until(lambda: len(beats) >= BEATS, "the worker to look up meanwhile")
            assert waiting in engine.not_ready()
            assert engine.pulse.age < DEAD_AFTER_S


async def test_a_worker_that_loads_for_long_is_not_dead_and_says_of_no_build_that_it_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_load = threading.Event()

    def load_late(settings: Settings) -> Core:
        may_load.wait()
        return load_core(settings)

    async def verified(_: Settings) -> None:
        """Nothing else is waited for."""

    monkeypatch.setattr("worker.stream.engine.verify_topics", verified)
    engine = Engine(Settings(), load_late)
    beats = counted(engine.pulse, monkeypatch)
    running = asyncio.ensure_future(engine.run(asyncio.Queue()))
    try:
        await until(lambda: len(beats) >= BEATS, "it to look up while it loads")
        assert engine.not_ready() == ["policies and code sets", "an assignment from the group"]
        assert b"mms_build_info{" not in generate_latest(engine.metrics.registry)
    finally:
        stopping = asyncio.ensure_future(engine.stop())
        may_load.set()
    await asyncio.gather(running, stopping)


def counted(pulse: Pulse, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Its age at each beat from now on."""
    ages, beat = [], pulse.beat

    def count() -> None:
        ages.append(pulse.age)
        beat()

    monkeypatch.setattr(pulse, "beat", count)
    return ages


async def test_a_worker_for_whom_there_is_no_partition_is_alive_and_ready(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    with ExitStack() as ending:
        stream = Stream(kafka.bootstrap, prefix, tmp_path, ending, partitions=1)
        await stream.create_topics()
        workers = [stream.worker() for _ in range(2)]

        async def is_shared_out() -> bool:
            pages = [(await worker.get("/readyz"))[0] for worker in workers]
            held = [await worker.metric("mms_assigned_partitions") for worker in workers]
            return pages == [200, 200] and sorted(held) == [0, 1]

        await until(is_shared_out, "one worker to have the partition, and both to be ready")
        for worker in workers:
            assert (await worker.get("/livez"))[0] == 200
            assert await worker.metric("mms_ready") == 1
            await until(partial(works_what_it_holds, worker), "the lanes at work to be told")


async def works_what_it_holds(worker: Worker) -> bool:
    held = await worker.metric("mms_assigned_partitions")
    return await worker.metric("mms_working_partitions") == held
