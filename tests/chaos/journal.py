"""What was done in a run and when, and how long it took until work was up to date again.

Recovery of a fault is the time from a moment of its own until every partition has committed a record behind
what had been the end of its input at that moment. The moment is

- for a worker that is killed, frozen or told to stop, when that is done: the others have to notice;
- for one that is added, when it has joined the group;
- for a broker, when it is down;
- where connections, or the taking of records, are kept back, when they no longer are: only then can anything
  go on.

Faults overlap, and what one takes away another may need: a recovery is *alone* if no other fault was being
kept up or recovered from between its fault's beginning and its own end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.chaos.faults import Kind


class Recovery(NamedTuple):
    """That every partition went on after a fault."""

    kind: Kind
    seconds: float
    is_alone: bool


class _Awaited(NamedTuple):
    """A recovery that has not come yet: its moment, and where the input ended then."""

    since: float
    ends: Mapping[int, int]


@dataclass
class _Open:
    """A fault that is kept up, or is to be recovered from."""

    kind: Kind
    is_alone: bool
    is_kept_up: bool = True
    awaited: _Awaited | None = None


class Journal:
    """Keeps account; every line also goes to ``file`` and to ``tell``. ``ends`` gives the input's ends."""

    def __init__(
        self, file: Path, tell: Callable[[str], None], ends: Callable[[], Mapping[int, int]]
    ) -> None:
        self.faults: Counter[Kind] = Counter()
        """How often each kind of fault was injected."""
        self.forced = 0
        """Brokers that had to be killed though they were told to stop."""
        self.recoveries: list[Recovery] = []
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
        self._tell(self._write(what))

    def injected(self, kind: Kind, what: str) -> None:
        """A fault has begun; ``what`` says of whom. It is kept up until it is over."""
        self.faults[kind] += 1
        for other in self._open:
            other.is_alone = False
        self._open.append(_Open(kind, is_alone=not self._open))
        self.note(f"{kind}: {what}")

    def recovering(self, kind: Kind) -> None:
        """The moment from which the recovery of a fault counts that is kept up."""
        self._kept_up(kind).awaited = _Awaited(time.monotonic(), dict(self._ends()))

    def over(self, kind: Kind) -> None:
        """A fault is kept up no more. Of one kind there is never more than one at once."""
        self._kept_up(kind).is_kept_up = False
        self._forget()

    def look(self, committed: Mapping[int, int]) -> None:
        """See which faults are recovered from, given the group's offset in each partition."""
        self._recover(lambda ends: all(committed.get(partition, 0) > end for partition, end in ends.items()))

    def drained(self) -> None:
        """Everything is committed: no record will come that could show the last recoveries."""
        self._recover(lambda _: True)

    def _recover(self, is_past: Callable[[Mapping[int, int]], bool]) -> None:
        now = time.monotonic()
        for fault in self._open:
            if fault.awaited is not None and is_past(fault.awaited.ends):
                recovery = Recovery(fault.kind, now - fault.awaited.since, fault.is_alone)
                fault.awaited = None
                self.recoveries.append(recovery)
                beside = "alone" if recovery.is_alone else "beside others"
                self._write(f"recovered in {recovery.seconds:.2f} s, {beside}: {recovery.kind}")
        self._forget()

    def _kept_up(self, kind: Kind) -> _Open:
        return next(fault for fault in self._open if fault.is_kept_up and fault.kind == kind)

    def _forget(self) -> None:
        self._open = [fault for fault in self._open if fault.is_kept_up or fault.awaited is not None]

    def _write(self, what: str) -> str:
        line = f"{self.seconds:7.2f} s  {what}"
        with self._file.open("a") as file:
            file.write(f"{line}\n")
        return line


def quantile(seconds: list[float], share: float) -> float:
    """The time below which ``share`` of the times lie; NaN of none."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
