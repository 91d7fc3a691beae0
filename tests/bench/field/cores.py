"""Who runs where: contestants on one core, the broker and all that measures on the other.

A process that is started, and a thread, stays on the core of the thread that started it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Cores(NamedTuple):
    """Two numbers of cores; None where nothing can be pinned."""

    contestant: int | None
    others: int | None

    def __str__(self) -> str:
        if self.contestant is None:
            return "nothing is pinned: this takes two cores, and a system that can pin"
        return (
            f"each contestant, with all its threads and children, is pinned to core {self.contestant}, "
            f"broker and driver to core {self.others}"
        )


def dealt() -> Cores:
    """The cores that this process may use, dealt out."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(None, None)
    usable = sorted(os.sched_getaffinity(0))
    return Cores(*usable[:2]) if len(usable) >= 2 else Cores(None, None)


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Run this thread, and what it starts, on a core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
