"""What was done in a run and when, and how long it took until work was up to date again.

Recovery of a fault is the time from a moment of its own until every partition has committed a record behind
what had been the end of its input at that moment. The moment is the injection where a process is taken away
or comes, for the others have to notice; it is the end of the fault where connections, or the taking of
records, are kept back, for only then can anything go on.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.chaos.faults import Kind


class _Open(NamedTuple):
    """A fault from which not every partition has recovered yet."""

    kind: Kind
    since: float
    ends: Mapping[int, int]


class Journal:
    """Keeps account; every line also goes to ``file`` and to ``tell``. ``ends`` gives the input's ends."""

    def __init__(
        self, file: Path, tell: Callable[[str], None], ends: Callable[[], Mapping[int, int]]
    ) -> None:
        self.faults: Counter[Kind] = Counter()
        """How often each kind of fault was injected."""
        self.recoveries: list[tuple[Kind, float]] = []
        """Kind and seconds of each recovery."""
        self._began = time.monotonic()
        self._file = file
        self._tell = tell
        self._ends = ends
        self._open: list[_Open] = []

    @property
    def seconds(self) -> float:
        """Seconds since the beginning of the run."""
        return time.monotonic() - self._began

    def begin(self) -> None:
        """The run begins now: from here on its seconds count."""
        self._began = time.monotonic()

    def note(self, what: str) -> None:
        """Write down what happens."""
        line = f"{self.seconds:7.2f} s  {what}"
        with self._file.open("a") as file:
            file.write(f"{line}\n")
        self._tell(line)

    def injected(self, kind: Kind, what: str) -> None:
        """A fault has begun; ``what`` says of whom."""
        self.faults[kind] += 1
        self.note(f"{kind}: {what}")

    def recovering(self, kind: Kind) -> None:
        """The moment from which the recovery of a fault counts."""
        self._open.append(_Open(kind, time.monotonic(), dict(self._ends())))

    def look(self, committed: Mapping[int, int]) -> None:
        """See which faults are recovered from, given the group's offset in each partition."""
        now, still = time.monotonic(), []
        for fault in self._open:
            if all(committed.get(partition, 0) > end for partition, end in fault.ends.items()):
                self.recoveries.append((fault.kind, now - fault.since))
            else:
                still.append(fault)
        self._open = still

    def drained(self) -> None:
        """Everything is committed: no record will come that could show the last recoveries."""
        now = time.monotonic()
        self.recoveries += [(fault.kind, now - fault.since) for fault in self._open]
        self._open = []


def quantile(seconds: list[float], share: float) -> float:
    """The time below which ``share`` of the times lie; NaN of none."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
