"""From when a newer release of a code set should be here."""

from __future__ import annotations

from datetime import date

import pytest

from worker.adjudication.codesets import Dated
from worker.codes.catalog import load
from worker.codes.renewal import renewals


@pytest.mark.parametrize(
    ("name", "effective", "renewed"),
    [
        ("icd10cm", date(2025, 10, 1), date(2026, 10, 1)),
        ("icd10cm", date(2026, 4, 1), date(2027, 4, 1)),
        ("ncci-ptp", date(2026, 7, 1), date(2026, 10, 1)),
        ("ncci-ptp", date(2026, 10, 1), date(2027, 1, 1)),
        ("ncci-mue", date(2026, 12, 31), date(2027, 3, 1)),
        ("ncci-aoc", date(2026, 9, 30), date(2026, 12, 1)),
    ],
)
def test_a_release_is_followed_after_its_publishers_rhythm(name: str, effective: date, renewed: date) -> None:
    dated = Dated(name, [(effective, "new", ()), (date(2019, 1, 1), "old", ())])
    assert renewals([dated]) == {name: renewed}


def test_a_set_without_a_rhythm_is_never_due() -> None:
    assert renewals([Dated("ncci-modifiers", [(date(2024, 6, 1), "2024-06", ())])]) == {}


def test_of_the_packages_own_sets_those_of_cms_are_due() -> None:
    assert set(renewals(load().sets)) == {"icd10cm", "ncci-ptp", "ncci-mue", "ncci-aoc"}
