"""What a claim has billed is not to be told from a report without PHI: not from a sum, nor from several."""

from __future__ import annotations

from copy import deepcopy

import msgspec
import pytest

from tests.replay import samples
from worker.replay.output.report import report
from worker.replay.output.withholding import FEWEST, withheld
from worker.replay.telling.outcome import Amount, Counts


def counts(lines: dict[str, int], claims: int = 100) -> Counts:
    """Lines that go from pay to each of these decisions, a cent a line."""
    to = {after: Amount(number, charge_cents=number, results=number) for after, number in lines.items()}
    return Counts(claims_differing=claims, amounts={"pay": to})


def charges(of: Counts) -> dict[str, int | None]:
    return {after: amount.charge_cents for after, amount in of.amounts["pay"].items()}


@pytest.mark.parametrize(("lines", "told"), [(1, None), (FEWEST - 1, None), (FEWEST, FEWEST)])
def test_the_charges_of_a_few_lines_are_withheld_and_their_number_is_not(
    lines: int, told: int | None
) -> None:
    whole, _ = withheld(counts({"deny": lines, "pend": 50}), {})
    assert charges(whole) == {"deny": told, "pend": 50}
    assert whole.amounts["pay"]["deny"].lines == lines


@pytest.mark.parametrize(("claims", "told"), [(1, None), (FEWEST - 1, None), (FEWEST, 50)])
def test_the_lines_of_a_few_claims_are_few_however_many_they_are(claims: int, told: int | None) -> None:
    assert charges(withheld(counts({"deny": 50}, claims), {})[0]) == {"deny": told}


PARTITIONS = {
    "none is few": ((11, 20), (11, 20)),
    "one is few": ((1, 20), (None, None)),
    "all are few": ((6, 6), (None, None)),
}


@pytest.mark.parametrize("name", PARTITIONS)
def test_a_partitions_charges_are_not_the_whole_less_those_of_the_others(name: str) -> None:
    lines, told = PARTITIONS[name]
    parts = {str(number): counts({"deny": of}) for number, of in enumerate(lines)}
    whole, by_partition = withheld(counts({"deny": sum(lines)}), parts)
    assert charges(whole) == {"deny": sum(lines)}
    assert tuple(charges(one)["deny"] for one in by_partition.values()) == told


def test_what_was_counted_stays_exact() -> None:
    whole, parts = counts({"deny": 1}), {"0": counts({"deny": 1})}
    before = deepcopy((whole, parts))
    withheld(whole, parts)
    assert (whole, parts) == before


def report_of(charged: dict[str, int | None]) -> str:
    told = samples.replayed()
    amounts = {"pay": {after: Amount(12, charge_cents=cents, results=12) for after, cents in charged.items()}}
    return report(
        msgspec.structs.replace(told, counts=msgspec.structs.replace(told.counts, amounts=amounts)), []
    )


REPORTED: dict[str, tuple[dict[str, int | None], list[str], list[str]]] = {
    "all": ({"deny": 100, "pend": 50}, ["billed at $1.50"], ["withheld"]),
    "some": ({"deny": 100, "pend": None}, ["billed at $1.00 and more", "fewer than 11 results"], ["$0.00"]),
    "none": ({"deny": None}, ["charges withheld", "fewer than 11 results"], ["$0", "billed at"]),
}


@pytest.mark.parametrize("name", REPORTED)
def test_a_report_has_no_sum_of_what_is_withheld(name: str) -> None:
    charged, there, absent = REPORTED[name]
    html = report_of(charged)
    body = html[html.index("<body") :]
    assert [words for words in there if words not in body] == []
    assert [words for words in absent if words in body] == []
