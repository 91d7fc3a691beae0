"""Seeded choices that are the same on every Python.

They use ``Random.random`` alone: the one method whose sequence the standard library promises to keep.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeAlias, TypeVar

Value = TypeVar("Value")

Curve: TypeAlias = Sequence[tuple[float, float]]
"""Points (share below, value) of a distribution, from share 0 to share 1."""


class Weighted(Generic[Value]):
    """Values with relative weights."""

    def __init__(self, pairs: Iterable[tuple[Value, float]]) -> None:
        pairs = [(value, weight) for value, weight in pairs if weight > 0]
        if not pairs:
            raise ValueError("nothing to choose from: no value has a weight above 0")
        self.values = tuple(value for value, _ in pairs)
        self.edges = tuple(accumulate(weight for _, weight in pairs))
        self.last = len(pairs) - 1


def at(curve: Curve, share: float) -> float:
    """The value below which ``share`` of the distribution lies, on a straight line between its points."""
    upper = min(max(1, bisect_right(curve, (share, 0.0))), len(curve) - 1)
    (left, low), (right, high) = curve[upper - 1], curve[upper]
    return low + (high - low) * (share - left) / (right - left)


class Draw:
    """A stream of choices that depends on its seed alone."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed).random  # noqa: S311  made-up claims, not secrets

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random() < probability

    def below(self, limit: int) -> int:
        """A whole number from 0 to ``limit`` - 1."""
        return int(self.random() * limit)

    def one(self, values: Sequence[Value]) -> Value:
        """One of the values, each as likely."""
        return values[int(self.random() * len(values))]

    def pick(self, choices: Weighted[Value]) -> Value:
        """One of the values by weight."""
        edges = choices.edges
        return choices.values[bisect_right(edges, self.random() * edges[-1], 0, choices.last)]

    def on(self, curve: Curve) -> float:
        """A value of the distribution."""
        return at(curve, self.random())
