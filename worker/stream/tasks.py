"""Awaiting what may never end, and keeping what must."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

_outliving: set[asyncio.Task[Any]] = set()


def outlive(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task that goes on when its caller is cancelled; the loop alone would not keep it alive."""
    task = asyncio.ensure_future(work)
    _outliving.add(task)
    task.add_done_callback(_outliving.discard)
    return task


async def ended_within(seconds: float, work: Coroutine[Any, Any, Any]) -> bool:
    """Whether ``work`` came to its end in time, and not to an exception. It is cancelled if it takes longer.

    What it returns or raises is of no interest.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=seconds)
    finally:
        is_done = task.done()
        task.cancel()
    return is_done and not task.cancelled() and task.exception() is None
