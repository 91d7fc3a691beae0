"""An event loop of one thread, one order and no real time: every callback that runs is a step of its own.

Time stands while something is ready, and then springs to the next timer. Each callback belongs to the process
in whose context it was scheduled; one that belongs to none is the network's. What belongs to a killed process
never runs, what belongs to a stopped one waits for its being woken.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import warnings
from asyncio import events
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

NETWORK = contextvars.Context()
"""The context of what belongs to no process."""

MOST_LAST_WORDS = 100


class Process:
    """A worker's process as the loop sees it: it runs, is stopped (SIGSTOP) or killed (SIGKILL)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_alive = True
        self.is_stopped = False
        self.held: list[asyncio.Handle] = []
        self.context = contextvars.copy_context()
        self.context.run(OWNER.set, self)


OWNER: contextvars.ContextVar[Process] = contextvars.ContextVar("owner")


class Loop(asyncio.BaseEventLoop):
    """Driven from outside, a ``turn`` at a time, while it is the running loop (``running``)."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        """How many callbacks have run."""
        self._now = 0.0
        self._soon: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._number = count()
        self._tasks: list[asyncio.Task[Any]] = []

    def time(self) -> float:
        return self._now

    def is_running(self) -> bool:
        return events._get_running_loop() is self

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = events.Handle(callback, args, self, context)
        self._soon.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio has it, but of two timers of one moment the first that was set comes first."""
        timer = events.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._number), timer))
        return timer

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task = super().create_task(coro, **options)
        self._tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What nobody awaits of a process is nobody's: what counts is at the brokers.

        What a callback of the network raises is a bug of these tests, and no request that was lost.
        """
        handle = context.get("handle")
        if handle is not None and OWNER not in handle._context:
            raise context["exception"]

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are passed over when their time has come."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make this the running loop; in the end everything that still lives in it is put away."""
        events._set_running_loop(self)
        try:
            yield
        finally:
            with warnings.catch_warnings(action="ignore"):
                self._bury()
            events._set_running_loop(None)
            self.close()

    def turn(self) -> bool:
        """Run what is next; whether there was anything."""
        while (handle := self._next()) is not None:
            owner = handle._context.get(OWNER)  # type: ignore[attr-defined]
            if handle.cancelled() or (owner is not None and not owner.is_alive):
                continue
            if owner is not None and owner.is_stopped:
                owner.held.append(handle)
                continue
            self.steps += 1
            handle._run()
            return True
        return False

    def wake(self, process: Process) -> None:
        """Let a stopped process go on, with all that has become due in the meantime."""
        process.is_stopped = False
        self._soon.extend(process.held)
        process.held.clear()

    def _next(self) -> asyncio.Handle | None:
        while self._timers and (self._timers[0][0] <= self._now or self._timers[0][2].cancelled()):
            self._soon.append(heapq.heappop(self._timers)[2])
        if not self._soon:
            if not self._timers:
                return None
            self._now, _, timer = heapq.heappop(self._timers)
            return timer
        return self._soon.popleft()

    def _bury(self) -> None:
        """Close what the killed have left, so that the garbage collector does not run its last words."""
        while self._tasks:
            task = self._tasks.pop()
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                _close(task.get_coro())
        self._soon.clear()
        self._timers.clear()


def _close(coroutine: Any) -> None:
    """Have a coroutine end, whatever its ``finally`` clauses still await."""
    for _ in range(MOST_LAST_WORDS):
        try:
            coroutine.throw(_Killed)
        except BaseException:  # noqa: BLE001  whatever it raises, it has ended
            return


class _Killed(BaseException):
    """Nothing in the worker or in aiokafka catches it."""
