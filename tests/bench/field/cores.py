"""Who runs where: contestants on one core, the broker and all that measures on the other.

A process that is started, and a thread, stays on the core of the thread that started it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

TOPOLOGY = Path("/sys/devices/system/cpu")


class Cores(NamedTuple):
    """Two numbers of processors; None where nothing can be pinned."""

    contestant: int | None
    others: int | None
    are_apart: bool | None = None
    """Whether they belong to two physical cores; None if unknown."""

    def __str__(self) -> str:
        if self.contestant is None:
            return "nothing is pinned: this takes two cores, and a system that can pin"
        shared = " (two threads of one physical core)" if self.are_apart is False else ""
        return (
            f"each contestant, with all its threads and children, is pinned to core {self.contestant}, "
            f"broker and driver to core {self.others}{shared}"
        )


def dealt() -> Cores:
    """The processors that this process may use, dealt out: of two physical cores if it has two."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(None, None)
    usable = sorted(os.sched_getaffinity(0))
    return chosen(usable, {cpu: _physical(cpu) for cpu in usable})


def chosen(usable: Sequence[int], physical: Mapping[int, str | None]) -> Cores:
    """The first processor, and the first of another physical core, or else the second."""
    if len(usable) < 2:
        return Cores(None, None)
    first = usable[0]
    if physical[first] is None:
        return Cores(first, usable[1])
    apart = [cpu for cpu in usable if physical[cpu] not in {None, physical[first]}]
    return Cores(first, apart[0] if apart else usable[1], bool(apart))


def siblings() -> list[str]:
    """The processors of each physical core, as Linux lists them: ``0,4`` or ``0-1``. None without /sys."""
    files = sorted(TOPOLOGY.glob("cpu[0-9]*/topology/thread_siblings_list"))
    return sorted({file.read_text().strip() for file in files})


def _physical(cpu: int) -> str | None:
    """Which physical core of which package; None if the system does not say."""
    topology = TOPOLOGY / f"cpu{cpu}" / "topology"
    try:
        return " ".join((topology / name).read_text().strip() for name in ("physical_package_id", "core_id"))
    except OSError:
        return None


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
