"""Parts of a worker in the test's own process, where faults can be put into them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.stream.streamkit import Stream, until
from worker.settings import Settings
from worker.stream import lane as lane_module
from worker.stream.breaker import Breaker
from worker.stream.core import load_core
from worker.stream.deciding import Decider
from worker.stream.engine import Engine
from worker.stream.health import Pulse
from worker.stream.histories import Aside
from worker.stream.intake import Intake
from worker.stream.lane import Lane, Shared
from worker.stream.metrics import Metrics
from worker.stream.restore import Restored, restore
from worker.stream.retry import Backoff
from worker.stream.tracing import tracing_of

HANG_S = 40.0
"""What would take so long would take for ever."""


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[tuple[Engine, asyncio.Task[None]]]:
    """An engine in this process, with the task that runs it; it is stopped in the end."""
    engine = Engine(settings, load_core)
    batches: asyncio.Queue[Any] = asyncio.Queue()

    async def decide() -> None:
        while True:
            (await batches.get()).submit(engine.decide)

    deciding_batches = asyncio.ensure_future(decide())
    running = asyncio.ensure_future(engine.run(batches))
    try:
        yield engine, running
    finally:
        async with asyncio.timeout(HANG_S):
            await engine.stop()
        deciding_batches.cancel()
        await asyncio.gather(running, deciding_batches, return_exceptions=True)


async def ready(engine: Engine) -> None:
    await until(lambda: not engine.not_ready(), "readiness")


class Restores:
    """Which partitions lanes of this process have restored, one entry each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.partitions: list[int] = []
        monkeypatch.setattr(lane_module, "restore", self._restore)

    async def _restore(self, partition: int, settings: Settings) -> Restored:
        self.partitions.append(partition)
        return await restore(partition, settings)


class Owner:
    """A worker that owns one partition when it is told so, and not when a group says so."""

    def __init__(self, stream: Stream, partition: int, consumer: AIOKafkaConsumer, *, keep: float) -> None:
        settings = stream.settings
        self.aside = Aside(keep)
        self.metrics = Metrics(settings.input_topic)
        self.task: asyncio.Task[None] | None = None
        self._stream = stream
        self._place = TopicPartition(settings.input_topic, partition)
        self._consumer = consumer
        self._batches: asyncio.Queue[Any] = asyncio.Queue()
        core = load_core(settings)
        self._decider = Decider(core.adjudicate, core.encode, settings)
        self._lane: Lane | None = None

    async def decide(self) -> None:
        """Decide batches, as the agent does; its task is to be cancelled."""
        while True:
            (await self._batches.get()).submit(self._decider.decide)

    async def fetch(self) -> None:
        """Give records to the lane, as the source does; its task is to be cancelled."""
        while True:
            fetched = await self._consumer.getmany(timeout_ms=50)
            if self._lane is not None:
                self._lane.offer(fetched.get(self._place, []))

    async def own(self) -> Lane:
        """Be assigned the partition; the lane is open when this returns."""
        settings = self._stream.settings
        intake = Intake(self._consumer, self._place, settings.results_topic)
        intake.hold()
        intake.seek(0)
        shared = Shared(
            settings,
            self._batches,
            self.metrics,
            Breaker(settings),
            Pulse(),
            Backoff(settings),
            self.aside,
            tracing_of(settings),
        )
        self._lane = lane = Lane(self._place, intake, shared)
        self.task = task = asyncio.ensure_future(lane.run())
        await until(lambda: lane.is_open or task.done(), "the lane to open")
        return lane

    async def let_go(self, *, cut_off: bool = False) -> None:
        """Have the assignment pass; ``cut_off`` does not let the lane finish."""
        lane, task = self._lane, self.task
        assert lane is not None
        assert task is not None
        lane.retire()
        lane.intake.revoke()
        if cut_off:
            task.cancel()
        self._lane = self.task = None
        async with asyncio.timeout(HANG_S):
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def owner(stream: Stream, partition: int, *, keep: float = HANG_S) -> AsyncIterator[Owner]:
    """An owner of a partition, to begin with without it; ``keep`` is how long memory lies aside."""
    async with AIOKafkaConsumer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        group_id=stream.settings.app_id,
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
    ) as consumer:
        consumer.assign([TopicPartition(stream.settings.input_topic, partition)])
        one = Owner(stream, partition, consumer, keep=keep)
        beside = [asyncio.ensure_future(one.decide()), asyncio.ensure_future(one.fetch())]
        try:
            yield one
        finally:
            if one.task is not None:
                await one.let_go()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
