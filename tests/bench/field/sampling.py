"""What can be seen of a contestant from outside while it runs: how far its results are, and what it takes."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from tests.bench.field.logs import Log
from tests.bench.processes import Family, cpu_of

TICK_S = 0.05
FAMILY_S = 1.0
"""Between two looks at who has children, which reads of every process of the machine."""


class Sample(NamedTuple):
    """One moment."""

    at: float
    """Seconds of the monotonic clock."""
    ends: tuple[int, ...]
    """By partition, the offset up to which a reader of committed results comes."""
    cpu: float
    """Seconds that the contestant has spent, all threads and children together."""
    broker_cpu: float
    driver_cpu: float

    def visible(self, offsets: Sequence[Sequence[int]]) -> int:
        """How many results a reader saw, given the offsets of all: transactions' markers have some too."""
        return sum(bisect_left(places, end) for places, end in zip(offsets, self.ends, strict=True))


class Sampler:
    """Looks at one contestant."""

    def __init__(self, results: Log, pid: int, broker_pid: int) -> None:
        self.samples: list[Sample] = []
        self.log = results
        self._family = Family(pid)
        self._pid = pid
        self._broker_pid = broker_pid
        self._looked = 0.0

    def look(self) -> Sample:
        """Take a sample. Raises OSError when the contestant has ended, KafkaException without an answer."""
        asked = time.monotonic()
        if asked - self._looked > FAMILY_S:
            self._looked = asked
            self._family.look()
        ends = self.log.ends()
        at = (asked + time.monotonic()) / 2
        sample = Sample(at, ends, self._cpu(), cpu_of(self._broker_pid), time.process_time())
        self.samples.append(sample)
        return sample

    def peak(self) -> int:
        """Bytes of resident memory that it had at most: the sum of what each of its processes had."""
        self._family.look()
        return sum(life.peak for life in self._family.lives.values())

    def _cpu(self) -> float:
        children = [pid for pid in self._family.lives if pid != self._pid]
        return cpu_of(self._pid) + sum(map(_cpu_of_living, children))


def _cpu_of_living(pid: int) -> float:
    try:
        return cpu_of(pid)
    except OSError:
        return 0.0  # its parent has waited for it
