"""What a claim costs, by how many lines it has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from tests.bench.scaling.core import Case, folded, rounds, with_history, without_history
from tests.bench.scaling.cores import alone
from tests.bench.scaling.figures import Figure, panel
from tests.bench.scaling.making import Kind, claim
from worker.adjudication import Reference
from worker.reference import load_reference

LINES = (1, 2, 4, 10, 25, 50)
MEMBERS = 100
LATER = 60
"""Days between the claim that the member has, and the one that is measured."""


def measure(*, is_quick: bool) -> Figure:
    """Claims by themselves, and of a member who has one already, in the core."""
    alone_, beside = alone(_measured, *((2, 0.02) if is_quick else (5, 0.3)))
    return Figure(
        title="What a claim costs, by how many lines it has",
        x="lines of the claim",
        panels=[
            panel("CPU µs a claim, without history", alone_, has_guide=True),
            panel("CPU µs a claim, with history", beside, has_guide=True),
        ],
    )


def _measured(
    repetitions: int, least_s: float
) -> tuple[dict[str, dict[int, list[float]]], dict[str, dict[int, list[float]]]]:
    reference = load_reference()
    cases = {
        (kind, count): list(_cases(kind, count, reference)) for kind in get_args(Kind) for count in LINES
    }
    first, second = without_history(reference), with_history(reference)
    return (
        rounds({shape: (first, made) for shape, made in cases.items()}, repetitions, least_s),
        rounds({shape: (second, made) for shape, made in cases.items()}, repetitions, least_s),
    )


def _cases(kind: Kind, count: int, reference: Reference) -> Iterable[Case]:
    """Members' second claims; the first is of four lines."""
    for member in range(MEMBERS):
        state = folded(claim(kind, member, 0), None, reference)
        yield Case(claim(kind, member, 1, LATER, count), state)
