"""What processes take, as the system tells it: resident memory now and at most, and who has started whom."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Life(NamedTuple):
    """A process as far as it was seen. Times are seconds of the monotonic clock."""

    command: str
    first: float
    last: float
    peak: int
    """Bytes of resident memory that it had at most."""


class Family:
    """A process and all that it and its children start, looked at again and again."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.lives: dict[int, Life] = {}
        """By process id."""

    def look(self) -> None:
        """Take in who lives now. Those that end meanwhile are left as they were seen last."""
        now = time.monotonic()
        for pid in [self._pid, *descendants(self._pid)]:
            try:
                peak = resident(pid, "VmHWM")
                command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, ValueError):
                continue  # it has ended
            before = self.lives.get(pid)
            self.lives[pid] = Life(command, now if before is None else before.first, now, peak)


def resident(pid: int, field: str = "VmRSS") -> int:
    """Bytes of a process's resident memory; with ``VmHWM`` the most that it ever was.

    Raises OSError when there is no such process, ValueError when it has ended and waits to be reaped.
    """
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise ValueError(f"no {field} of process {pid}")


def busy() -> float:
    """CPU seconds that all processes of this machine have spent since it was started."""
    ticks = (PROC / "stat").read_text().splitlines()[0].split()[1:8]
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts = map(int, ticks)
    return (user + nice + system + interrupts + soft_interrupts) / TICKS_PER_S


def descendants(pid: int) -> Iterator[int]:
    """The processes that a process has started, and those that they have started."""
    children: dict[int, list[int]] = defaultdict(list)
    for file in PROC.glob("[0-9]*/stat"):
        try:
            parent = int(file.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
        children[parent].append(int(file.parent.name))
    left = children[pid]
    while left:
        found = left.pop()
        yield found
        left += children[found]


def cpu_of(pid: int) -> float:
    """CPU seconds of a process, with all its threads and the children that it has waited for.

    Raises OSError when there is no such process.
    """
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS_PER_S
