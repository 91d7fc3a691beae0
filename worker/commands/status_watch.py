"""``mms-worker status --watch``: the page drawn again and again, until a signal."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from worker.commands.ending import SIGNALS
from worker.commands.status_page import page
from worker.stream.errors import INFRASTRUCTURE, Refused, told

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rich.console import Console, RenderableType

    from worker.stream.status.reading import Reader
    from worker.stream.status.standing import Standing


async def watching(reader: Reader, console: Console, every: float, *, all_partitions: bool) -> int | None:
    """Draw how the stream stands every so many seconds; returns the signal that ended it, None for Ctrl-C.

    Raises what keeps the first reading from an answer. Later on that is shown above what was read last.
    """
    stopped = _stopped_by_a_signal()
    standing = await _unless(stopped, reader.read())
    if standing is not None:
        drawn: RenderableType = page(standing, all_partitions=all_partitions)
        with Live(drawn, console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            live.refresh()
            while not await _within(every, stopped):
                try:
                    standing = await _unless(stopped, reader.read())
                except (*INFRASTRUCTURE, Refused) as error:
                    fault = Text(f"not read: {told(error)}\n", "bold red")
                    live.update(Group(fault, drawn), refresh=True)
                    continue
                if standing is None:
                    break
                drawn = page(standing, all_partitions=all_partitions)
                live.update(drawn, refresh=True)
    return None if stopped.result() == signal.SIGINT else stopped.result()


def _stopped_by_a_signal() -> asyncio.Future[int]:
    """Has the number of the first signal to stop that comes; one that is ignored stays so."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(number: int) -> None:
        if not stopped.done():
            stopped.set_result(number)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a script's background job
            loop.add_signal_handler(number, stop, number)
    return stopped


async def _unless(stopped: asyncio.Future[int], reading: Coroutine[Any, Any, Standing]) -> Standing | None:
    """What was read; None if a signal came first. Raises what the reading raises."""
    task = asyncio.create_task(reading)
    waiting: set[asyncio.Future[Any]] = {task, stopped}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
        return None
    return task.result()


async def _within(seconds: float, stopped: asyncio.Future[int]) -> bool:
    """Whether it was stopped; waits for that at most so long."""
    done, _ = await asyncio.wait([stopped], timeout=seconds)
    return bool(done)
