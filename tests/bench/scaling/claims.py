"""What the next claim of a member costs, by how many the member has."""

from __future__ import annotations

from collections.abc import Iterable

from tests.bench.scaling.core import Case, folded, rounds, with_history
from tests.bench.scaling.cores import alone
from tests.bench.scaling.figures import Figure, panel
from tests.bench.scaling.making import claim
from worker.adjudication import Limits, Reference
from worker.reference import load_reference

CLAIMS = (1, 3, 10, 30, 100)
APART = {"each on a day of its own": 3, "all on one day": 0}
"""Days between a member's claims: a hundred of them are to fit the look-back."""
MEMBERS, FEWEST_MEMBERS = 400, 8
"""How many there are in a turn; the more claims each has, the fewer."""


def measure(*, is_quick: bool) -> Figure:
    """Claims of four lines with a documented lesion, in the core."""
    spent, stored = alone(_measured, *((2, 0.02) if is_quick else (5, 0.3)))
    return Figure(
        title="What one more claim of a member costs, by how many the member has",
        x="claims of the member, this one included",
        panels=[
            panel("CPU µs an event", spent, has_guide=True),
            panel("bytes of the stored history", stored),
        ],
    )


def _measured(
    repetitions: int, least_s: float
) -> tuple[dict[str, dict[int, list[float]]], dict[str, dict[int, list[float]]]]:
    reference = load_reference()
    ways, stored = {}, {}
    for name, apart in APART.items():
        if apart * max(CLAIMS) > Limits().look_back_days:
            raise ValueError("the look-back would drop the first claims")
        for count in CLAIMS:
            cases = list(_cases(count, apart, reference))
            ways[name, count] = with_history(reference), cases
            sizes = [len(folded(case.value, case.state, reference)) for case in cases]
            stored.setdefault(name, {})[count] = [sum(sizes) / len(sizes)]
    return rounds(ways, repetitions, least_s), stored


def _cases(count: int, apart: int, reference: Reference) -> Iterable[Case]:
    for member in range(max(FEWEST_MEMBERS, MEMBERS // count)):
        state = None
        for number in range(count - 1):
            state = folded(claim("lesions of one day", member, number, number * apart), state, reference)
        yield Case(claim("lesions of one day", member, count - 1, (count - 1) * apart), state)
