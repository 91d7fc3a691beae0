"""Keeps charges to themselves that are those of a few: a sum over one result is what one claim has billed.

Whoever may read a report without PHI must not learn what a claim has billed, neither from a number nor by
taking numbers from one another. So no number is given that holds what is withheld: there is no total of
charges but that of the sums that are shown, and those of partitions are shown all together or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from worker.replay.telling.outcome import Counts

if TYPE_CHECKING:
    from collections.abc import Mapping

FEWEST = 11
"""Results, and claims of the whole, below which no charges are shown: 1 to 10 are those of a few."""


def withheld(counts: Counts, parts: Mapping[str, Counts]) -> tuple[Counts, dict[str, Counts]]:
    """The counts of the whole and of its parts without the charges of a few; what is given stays exact."""
    few_anywhere = {cell for part in parts.values() for cell in _few(part)}
    return _without(counts, _few(counts)), {name: _without(one, few_anywhere) for name, one in parts.items()}


def _few(counts: Counts) -> set[tuple[str, str]]:
    """Decisions before and after whose results are few; all of them where the claims are."""
    return {
        (before, after)
        for before, to in counts.amounts.items()
        for after, amount in to.items()
        if amount.results < FEWEST or counts.claims_differing < FEWEST
    }


def _without(counts: Counts, cells: set[tuple[str, str]]) -> Counts:
    amounts = {
        before: {
            after: replace(amount, charge_cents=None) if (before, after) in cells else amount
            for after, amount in to.items()
        }
        for before, to in counts.amounts.items()
    }
    return replace(counts, amounts=amounts)
