"""When a code set's publisher brings out the release that follows the newest one that is here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from worker.adjudication.codesets import Dated
from worker.codes.sets import ALL

RHYTHMS: Mapping[str, int] = {
    code_set.name: code_set.renewed_months for code_set in ALL if code_set.renewed_months is not None
}
"""Months between two releases: ICD-10-CM every October, the tables of NCCI every quarter."""


def renewals(dated: Iterable[Dated[object]]) -> dict[str, date]:
    """The first date of service for which a newer release should be here, by code set.

    A set whose publisher has no rhythm is not among them.
    """
    return {
        code_set.name: _months_after(code_set.releases[-1][0], RHYTHMS[code_set.name])
        for code_set in dated
        if code_set.name in RHYTHMS
    }


def _months_after(day: date, months: int) -> date:
    """The first of the month that many months later, which is when releases come into force."""
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, 1)
