"""The stored counts, and whether new ones are as good: pure, but for reading and writing the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import msgspec

FILE = Path(__file__).with_name("baseline.json")

TOLERANCE = {"instructions": 0.01, "allocations": 0.01}
"""The share by which a count may differ from the baseline's before anyone hears of it.

Counts of the same files in the same place are the same to the last instruction, whatever else the machine
does. The share is for what moves with the addresses of things, such as a longer path or one more module:
two thousandths were seen.
"""
ACCEPT = "make count ARGS=--accept"

Unit: TypeAlias = Literal["instructions", "allocations"]
Counts: TypeAlias = dict[str, dict[str, dict[str, float]]]
"""Of a core and a kind of work the number of each unit for one event."""


class Baseline(msgspec.Struct, frozen=True):
    """Counts, and the environment that they were made in."""

    environment: dict[str, str]
    counts: Counts


class Change(NamedTuple):
    """A count beside that of the baseline; None where the baseline has none, or nothing was counted."""

    core: str
    kind: str
    unit: str
    before: float | None
    now: float | None

    @property
    def share(self) -> float | None:
        """By how much the count has grown, as a share of the baseline's."""
        if self.before is None or self.now is None:
            return None
        return self.now / self.before - 1 if self.before else float(self.now > 0)

    @property
    def is_worse(self) -> bool:
        """Whether it is above the tolerance, or cannot be compared."""
        if self.before is None or self.now is None:
            return True
        return self.now > self.before * (1 + TOLERANCE[self.unit])

    @property
    def is_better(self) -> bool:
        """Whether it is so far below that the baseline would hide a later loss."""
        if self.before is None or self.now is None:
            return False
        return self.now < self.before * (1 - TOLERANCE[self.unit])


class Verdict(NamedTuple):
    """What there is to say, a line each, and whether the counts pass."""

    lines: tuple[str, ...]
    passes: bool


def read(file: Path) -> Baseline | None:
    """The stored baseline, None where there is none. Raises ``msgspec.ValidationError`` on another shape."""
    return msgspec.json.decode(file.read_bytes(), type=Baseline) if file.exists() else None


def write(file: Path, baseline: Baseline) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(baseline, order="sorted"), indent=2) + b"\n")


def changes(before: Counts, now: Counts) -> list[Change]:
    """Every count of either, in the order of what was counted now."""
    return [
        Change(core, kind, unit, _at(before, core, kind, unit), _at(now, core, kind, unit))
        for core in {**now, **before}
        for kind in {**now.get(core, {}), **before.get(core, {})}
        for unit in TOLERANCE
    ]


def judged(before: Baseline | None, now: Baseline, *, in_ci: bool) -> Verdict:
    """Whether the counts are as good as the baseline's.

    Counts of another environment cannot be compared. On a developer's machine that is a notice; in CI it is a
    failure, since a check that compares nothing would be green for ever. What changes CI's environment, an
    update of orjson for one, comes with a new baseline.
    """
    if before is None:
        return Verdict(("there is no baseline yet", f"to store one: {ACCEPT}"), passes=not in_ci)
    if others := differences(before.environment, now.environment):
        return Verdict(("the baseline is of another environment, so nothing is compared", *others), not in_ci)
    found = changes(before.counts, now.counts)
    worse = [_sentence(one) for one in found if one.is_worse]
    better = [_sentence(one) for one in found if one.is_better]
    accepting = []
    if worse:
        accepting.append(f"if it must be so, and the change says why: {ACCEPT}")
    elif better:
        accepting.append(f"to hold what is gained: {ACCEPT}")
    return Verdict((*worse, *better, *accepting), passes=not worse)


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What is not the same in two environments, a line each."""
    return [
        f"{name}: {now.get(name, 'none')}, the baseline's {before.get(name, 'none')}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]


def _at(counts: Counts, core: str, kind: str, unit: str) -> float | None:
    return counts.get(core, {}).get(kind, {}).get(unit)


def _sentence(change: Change) -> str:
    what = f"{change.core} {change.kind}:"
    if change.now is None:
        return f"{what} {change.unit} were not counted; the baseline has {change.before:,.0f}"
    if change.before is None or change.share is None:
        return f"{what} {change.now:,.0f} {change.unit} an event; the baseline has none"
    side = "above" if change.share > 0 else "below"
    return (
        f"{what} {change.now:,.0f} {change.unit} an event, {abs(change.share):.1%} {side} the baseline's "
        f"{change.before:,.0f} (tolerance {TOLERANCE[change.unit]:.0%})"
    )
