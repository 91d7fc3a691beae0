"""What is measured, as the file has it: tables of costs, each cost with what all its rounds came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Self

import msgspec
from msgspec import Struct

from tests.bench.scaling.figures import Machine


class Cost(Struct):
    """CPU µs of one record, or a part of them."""

    name: str
    depth: int
    """0 of a whole, 1 of a part of the whole above it, 2 of a part of that part."""
    median: float
    low: float
    high: float
    runs: list[float]
    """By round."""
    target: float | None = None
    """What it should be at most."""
    aim: float | None = None
    """What would be better still."""

    @classmethod
    def of(
        cls,
        name: str,
        runs: Iterable[float],
        depth: int = 0,
        *,
        target: float | None = None,
        aim: float | None = None,
    ) -> Self:
        """The cost of these rounds, of which there is one at least."""
        values = list(runs)
        return cls(name, depth, median(values), min(values), max(values), values, target, aim)

    @property
    def is_met(self) -> bool | None:
        """Whether the median is up to the target; None if there is none."""
        return None if self.target is None else self.median <= self.target


class Costs(Struct):
    """One table."""

    title: str
    costs: list[Cost]
    notes: list[str] = []


class Measured(Struct):
    """The tables of one part of the bench, with where and how long they were measured."""

    tables: list[Costs]
    machine: Machine
    rounds: int
    seconds: float
    load_average: float
    """Of the minute before it began: above zero, somebody else used the cores."""


def read(file: Path) -> dict[str, Measured]:
    """What was measured, by part; nothing if there is no such file."""
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Measured]) if file.exists() else {}


def write(parts: Mapping[str, Measured], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(parts), indent=2) + b"\n")
