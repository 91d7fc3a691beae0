"""The Faust application around the engine: process, signals, supervision and the agent, and nothing durable.

Started from the project's own command, not from ``faust``, which overrides web settings. Exit codes are those
of ``worker.stream.errors``.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any, NoReturn

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy
from mode import Service

from worker.stream.agent import add_agent
from worker.stream.engine import Engine
from worker.stream.errors import CRASHED, OK, BreakerOpen, Stop, told
from worker.stream.health import serving
from worker.stream.startup import process_age

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.settings import Settings
    from worker.stream.core import Core

log = structlog.get_logger()


def run_worker(settings: Settings, load: Callable[[Settings], Core]) -> NoReturn:
    """Run a worker until a signal or a failure, and exit with its code."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(report)
    asyncio.set_event_loop(loop)
    worker = _Worker(_App(settings.app_id, autodiscover=False, stream_wait_empty=False), settings, load, loop)
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        raise SystemExit(worker.exit_code or ended.code) from None


class _Boot(BootStrategy):
    """Agents only: no Faust consumer, producer, tables, sensors or web."""

    enable_kafka = False
    enable_web = False
    enable_sensors = False


class _App(faust.App):
    BootStrategy = _Boot
    mundane_level = "debug"

    def _create_directories(self) -> None:
        """Make no data directory: there is nothing that Faust would keep in it."""

    async def on_stop(self) -> None:
        """Nothing of Faust's own is to be flushed or committed."""


class _Worker(faust.Worker):
    """The process: its exit code, and signal handling that shows no claim and opens no debugger."""

    def __init__(
        self,
        app: _App,
        settings: Settings,
        load: Callable[[Settings], Core],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(app, quiet=True, override_logging=False, redirect_stdouts=False, loop=loop)
        self.faust = app
        self.spinner = None
        self.exit_code = OK
        self._settings = settings
        self._load = load

    async def on_first_start(self) -> None:
        """Make the engine inside the loop that will run it."""
        await super().on_first_start()
        log.info("worker starts", pid=os.getpid(), seconds_since_process_start=process_age())
        service = _Engine(Engine(self._settings, self._load), self, self._settings)
        self.faust.service(service)  # type: ignore[arg-type]  # an instance is as welcome as a class

    def finish(self, code: int) -> None:
        """Stop as a signal would, and exit with ``code``."""
        self.exit_code = code
        self._schedule_shutdown(signal.SIGTERM)

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        """Begin to stop; a failure has said by itself why."""
        if self.exit_code == OK:
            log.info("worker stops", reason=signal.name, exit_code=OK)
        super()._schedule_shutdown(signal)

    async def _sentinel_task(self) -> None:
        """Mode sleeps for a second here, on every way out."""

    def _on_sigusr1(self) -> None:
        """Say how many tasks there are. Mode would print all local variables, and those are claims."""
        log.info("tasks", count=len(asyncio.all_tasks(self.loop)))

    def _on_sigusr2(self) -> None:
        """Do the same. Mode would open a debugger."""
        self._on_sigusr1()


class _Engine(Service):
    """The engine and its endpoints as a supervised service of the app."""

    mundane_level = "debug"

    def __init__(self, engine: Engine, worker: _Worker, settings: Settings) -> None:
        super().__init__(loop=worker.loop, beacon=worker.faust.beacon)
        self._engine = engine
        self._worker = worker
        self._settings = settings
        self._batches = add_agent(worker.faust, engine.decide)

    @Service.task
    async def _run(self) -> None:
        engine = self._engine
        # Once, before the first batch: without it a put waits for ever, and a later one empties the channel.
        self._worker.faust.flow_control.resume()
        try:
            async with serving(self._settings, engine.pulse, engine.not_ready, engine.metrics.registry):
                await self._work(engine)
        except Stop as stop:
            for line in str(stop).splitlines():
                log.error("worker stops", reason=line, exit_code=stop.code)  # noqa: TRY400  no fault of the code
            self._worker.finish(stop.code)
        except Exception as error:
            log.exception("worker crashed", error=told(error))
            self._worker.finish(CRASHED)

    async def _work(self, engine: Engine) -> None:
        """Run the engine; what the breaker has stopped is served for a while, so that a scrape sees why."""
        try:
            await engine.run(self._batches)
        except BreakerOpen as stop:
            self._worker.exit_code = stop.code  # also if a signal ends it meanwhile
            log.warning("breaker opened", seconds_until_exit=self._settings.breaker_hold_s)
            await engine.hold(self._settings.breaker_hold_s)
            raise

    async def on_stop(self) -> None:
        """Finish what is in flight while the agent still decides; tasks are cancelled when this returns."""
        await self._engine.stop()
        # The agent ends by itself: one that is cancelled counts as crashed.
        await self._batches.put(None)
        log.info("worker stopped", exit_code=self._worker.exit_code)


def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report what the loop could not give to anyone, but for the futures of a producer that was thrown away.

    aiokafka ends each of them with the same exception, of which the lane has had one.
    """
    error = context.get("exception")
    if error is None:
        loop.default_exception_handler(context)
    elif not isinstance(error, KafkaError):
        # The loop's own message would print callbacks with their arguments, and those may be claims.
        log.error("nobody awaited an exception", error=told(error))
