"""The engine: everything between the start of the process and the last commit, without a framework.

Loads the reference data while it looks for the brokers, checks the topics, and is a member of the group
again and again: after a fencing or a failure of Kafka all lanes and the consumer go, and it joins anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

import worker
from worker.stream.breaker import Breaker
from worker.stream.connecting.refusal import not_let_in
from worker.stream.deciding import Decider
from worker.stream.errors import INFRASTRUCTURE, BreakerOpen, Fenced, GaveUp, Stop, not_allowed, told
from worker.stream.health import Pulse
from worker.stream.histories import Aside
from worker.stream.lane import Shared
from worker.stream.memory import settle_memory
from worker.stream.metrics import Metrics
from worker.stream.retry import Backoff
from worker.stream.rights.missing import refusal
from worker.stream.rights.table import Task
from worker.stream.sealing.opening import opener_of, sealer_of
from worker.stream.signing import signer_of
from worker.stream.source import Source
from worker.stream.tracing import tracing_of
from worker.stream.verify import verify_topics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiokafka import ConsumerRecord

    from worker.settings import Settings
    from worker.stream.agent import Channel
    from worker.stream.core import Core
    from worker.stream.deciding import Decided
    from worker.stream.histories import Histories
    from worker.stream.signing import Signer

TICK_S = 1.0
DATA, BROKERS = "policies and code sets", "brokers that answer, with topics as they must be"

log = structlog.get_logger()


class Engine:
    """One worker's stream. ``run`` once, ``stop`` from beside it."""

    def __init__(self, settings: Settings, load: Callable[[Settings], Core]) -> None:
        self.pulse = Pulse()
        self.metrics = Metrics(settings.input_topic)
        self.metrics.configured(settings.partitions, settings.dead_letter_limit)
        self._settings = settings
        self._breaker = Breaker(settings)
        self.metrics.watch(
            is_ready=lambda: not self.not_ready(), dead_letter_share=lambda: self._breaker.share
        )
        self._load = load
        self._decider: Decider | None = None
        self._source: Source | None = None
        self._is_broken = False
        self._waits_for = {DATA: True, BROKERS: True}
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def decide(self, records: Sequence[ConsumerRecord], histories: Histories) -> Decided:
        """Decide a batch; there is none before the reference data is loaded."""
        if self._decider is None:
            raise RuntimeError("no batch can come before the reference data is loaded")
        return self._decider.decide(records, histories)

    def not_ready(self) -> list[str]:
        """What readiness still waits for, in words; empty when ready."""
        if self._stopping.is_set():
            return ["the worker is stopping"]
        if self._is_broken:
            return ["a person: the breaker has stopped it"]
        waiting = [what for what, is_awaited in self._waits_for.items() if is_awaited]
        if self._source is None or not self._source.has_assignment:
            return [*waiting, "an assignment from the group"]
        closed = [lane.partition.partition for lane in self._source.lanes.values() if not lane.is_open]
        return waiting + [f"the lane of partition {partition}" for partition in closed]

    async def run(self, batches: Channel) -> None:
        """Work until ``stop``. ``batches`` is the agent's channel. Raises a Stop, or what crashed it."""
        # Either may refuse; nothing is to be stopped then.
        sign = signer_of(self._settings)
        # Keys that cannot be used are told before there is a group to leave.
        opener_of(self._settings)
        sealer_of(self._settings)
        tracing = tracing_of(self._settings)
        self._idle.clear()
        try:
            await self._start(sign)
            backoff = Backoff(self._settings)
            shared = Shared(
                self._settings, batches, self.metrics, self._breaker, self.pulse, backoff, Aside(), tracing
            )
            while not self._stopping.is_set():
                await self._membership(shared, backoff)
        except BreakerOpen:
            self._is_broken = True
            self.metrics.breaker_opened()
            raise
        finally:
            await tracing.close()
            self._idle.set()

    async def hold(self, seconds: float) -> None:
        """Stay as it is for so long, alive and not ready, or until ``stop``."""
        await self._beating(asyncio.sleep(seconds))

    async def stop(self) -> None:
        """Close the intake, let the lanes finish, leave the group; returns when that is done."""
        self._stopping.set()
        if self._source is not None:
            self._source.stop()
        await self._idle.wait()

    async def _start(self, sign: Signer | None) -> None:
        """Reference data and topics, at the same time; whichever refuses first ends the start."""
        loading = asyncio.ensure_future(asyncio.to_thread(self._load, self._settings))
        verifying = asyncio.ensure_future(self._verify())
        try:
            loading.add_done_callback(lambda _: self._waits_for.update({DATA: False}))
            verifying.add_done_callback(lambda _: self._waits_for.update({BROKERS: False}))
            await self._beating(asyncio.wait([loading, verifying], return_when=asyncio.FIRST_EXCEPTION))
            for one in (verifying, loading):
                if one.done():
                    one.result()
            if not loading.done():  # stopped meanwhile
                return
            core = loading.result()
        finally:
            loading.cancel()
            verifying.cancel()
        self.metrics.loaded(worker.__version__, core)
        settle_memory()
        if sign is not None:
            log.info("results are signed", key_id=sign.key_id)
        self._decider = Decider(core.adjudicate, core.encode, self._settings, sign=sign)

    async def _verify(self) -> None:
        """Check the topics; a broker that is not there is waited for, one that does not let us in is not."""
        backoff = Backoff(self._settings, forever=True)
        while not self._stopping.is_set():
            try:
                await self._beating(verify_topics(self._settings))
            except INFRASTRUCTURE as error:
                if not_allowed(error) is not None:
                    raise await refusal(error, self._settings, Task.RUN) from error
                if (refused := not_let_in(error)) is not None:
                    raise refused from error
                await self._pause(backoff, "kafka cannot be reached or does not let this worker in", error)
            else:
                return

    async def _membership(self, shared: Shared, backoff: Backoff) -> None:
        self._source = Source(shared, joined_before=self._source is not None)
        try:
            await self._source.run()
        except BaseExceptionGroup as ended:
            cause = decisive(ended)
            if not_allowed(cause) is not None:
                raise await refusal(cause, self._settings, Task.RUN) from ended
            if isinstance(cause, Fenced):
                await self._pause(backoff, "fenced: all lanes dropped, joining again", cause)
            elif isinstance(cause, INFRASTRUCTURE):
                await self._pause(backoff, "membership failed, joining again", cause)
            else:
                raise cause from ended

    async def _pause(self, backoff: Backoff, event: str, error: Exception) -> None:
        pause = backoff.failed()
        if pause is None:
            raise GaveUp(
                f"{event}, for {self._settings.patience_s:g} s; the last error was {told(error)}"
            ) from error
        brokers = self._settings.bootstrap_servers
        log.warning(event, brokers=brokers, error=told(error), in_seconds=round(pause, 2))
        await self._beating(asyncio.sleep(pause))

    async def _beating(self, work: Awaitable[object]) -> None:
        """Await ``work``, but no longer than until ``stop``, and let the pulse beat meanwhile."""
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            while not task.done() and not stopped.done():
                await asyncio.wait([task, stopped], timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED)
                self.pulse.beat()
            if not stopped.done():
                task.result()
        finally:
            stopped.cancel()
            task.cancel()


def decisive(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one exception of several that says best why the membership ended.

    First an order to stop, then a fault of the code, which no other try would mend.
    """
    return min(_flat(group), key=_rank)


def _rank(error: BaseException) -> int:
    if isinstance(error, Stop):
        return 0
    if isinstance(error, Fenced):
        return 2
    return 3 if isinstance(error, INFRASTRUCTURE) else 1


def _flat(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _flat(inner)]
    return [error]
