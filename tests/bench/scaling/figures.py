"""What is measured, as the file has it: a figure has panels, a panel series, a series points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Self

import msgspec
from msgspec import Struct


class Point(Struct):
    """What the repetitions came to at one value of what varies."""

    x: int
    median: float
    low: float
    high: float
    runs: list[float]

    @classmethod
    def of(cls, x: int, runs: Iterable[float]) -> Self:
        """The point of these repetitions, of which there is one at least."""
        values = list(runs)
        return cls(x, median(values), min(values), max(values), values)


class Series(Struct):
    """One thing measured, by what varies."""

    name: str
    points: list[Point]


class Panel(Struct):
    """Series of one unit, which are drawn together."""

    unit: str
    """What the numbers are, in words: the label of the axis and the head of the table."""
    series: list[Series]
    has_guide: bool = False
    """Whether the chart shows what growth in proportion would be, from the first point on."""


class Figure(Struct):
    """One table, and one chart."""

    title: str
    x: str
    """What varies, in words."""
    panels: list[Panel]
    is_logarithmic: bool = True
    """Whether both axes of the chart are; otherwise what is measured begins at zero."""


class Machine(Struct):
    """Where it was measured, and what."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    kafka: str
    is_compiled: bool
    """Whether the rules ran as C."""


class Measured(Struct):
    """A figure with where and how long it was measured."""

    figure: Figure
    machine: Machine
    seconds: float
    load_average: float
    """Of the minute before it began: above zero, somebody else used the cores."""
    is_quick: bool


def panel(unit: str, runs: Mapping[str, Mapping[int, Iterable[float]]], *, has_guide: bool = False) -> Panel:
    """The panel of repetitions that are given by series and by what varies."""
    series = [Series(name, [Point.of(x, values) for x, values in by.items()]) for name, by in runs.items()]
    return Panel(unit, series, has_guide)


def read(file: Path) -> dict[str, Measured]:
    """Figures by name; none if there is no such file."""
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Measured]) if file.exists() else {}


def write(figures: Mapping[str, Measured], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
