"""Processor time of this thread, added up stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import thread_time
from typing import TypeAlias, TypeVar

from worker.stream.deciding import SLICE

T = TypeVar("T")

MICRO = 1e6

Runs: TypeAlias = dict[str, list[float]]
"""CPU µs of one of them, by round, of each stage."""


class Laps:
    """A watch that is read at the end of every stage. A reading takes under a µs, for a slice of records."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = 0.0

    def begin(self) -> None:
        """What was spent up to now belongs to no stage."""
        self._began = thread_time()

    def end(self, stage: str) -> None:
        """What was spent since the stage before belongs to this one."""
        now = thread_time()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._began
        self._began = thread_time()


def sliced(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as the worker takes through a step together."""
    for at in range(0, len(values), SLICE):
        yield values[at : at + SLICE]


def take(runs: Runs, seconds: Mapping[str, float], count: int) -> None:
    """Note one round more, over ``count`` of them."""
    for stage, spent in seconds.items():
        runs.setdefault(stage, []).append(spent / count * MICRO)


def spent(work: Callable[[T], object], values: Iterable[T]) -> float:
    """Seconds that it takes to do it with each."""
    began = thread_time()
    for value in values:
        work(value)
    return thread_time() - began


def added(runs: Runs, stages: Iterable[str]) -> list[float]:
    """Some stages together, by round."""
    return [sum(values) for values in zip(*(runs[stage] for stage in stages), strict=True)]


def less(whole: Iterable[float], part: Iterable[float]) -> list[float]:
    """What is left of a whole, by round."""
    return [one - other for one, other in zip(whole, part, strict=True)]
