"""NCCI add-on code edits, one release: which primaries an add-on needs, by edit type and date.

CMS names three types: 1 lists every primary, 2 lists none (``CCCCC``, left to the contractor), 3 lists
some. Only a type 1 add-on can be denied for want of a primary.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from worker.adjudication.codesets import AddOn
from worker.codes.tables.rows import PROCEDURE, read_rows, render_rows

SUFFIX = ".csv"
CONTRACTOR_DEFINED = "CCCCC"
TYPES = ("1", "2", "3")
_COLUMNS = ("add_on", "primary", "type", "effective", "deletion")


class AddOnEdit(NamedTuple):
    """One row: an add-on may stand beside a primary, from when to when (both included, None is open)."""

    add_on: str
    primary: str
    type: int
    effective: date | None = None
    deletion: date | None = None

    def applies(self, day: date) -> bool:
        """Whether the row is in force on a day."""
        return (self.effective is None or self.effective <= day) and (
            self.deletion is None or day <= self.deletion
        )


def parse_add_ons(text: str, source: Path) -> list[AddOnEdit]:
    """The rows of a release."""
    return [
        AddOnEdit(
            row.shaped("add_on", PROCEDURE),
            row.shaped("primary", PROCEDURE),
            int(row.one_of("type", TYPES)),
            row.day("effective"),
            row.day("deletion"),
        )
        for row in read_rows(text, source, _COLUMNS)
    ]


def render_add_ons(rows: Iterable[AddOnEdit]) -> str:
    """The text of a release."""
    return render_rows(_COLUMNS, sorted(set(rows), key=lambda row: [str(cell) for cell in row]))


def tables_by_day(rows: Sequence[AddOnEdit], effective: date) -> list[tuple[date, dict[str, AddOn]]]:
    """The tables of a release: one from its first day, and one from each later day on which a row changes."""
    changes = {effective}
    for row in rows:
        if row.effective is not None and row.effective > effective:
            changes.add(row.effective)
        if row.deletion is not None and effective <= row.deletion < date.max:
            changes.add(row.deletion + timedelta(days=1))
    return [(day, _table(row for row in rows if row.applies(day))) for day in sorted(changes)]


def _table(rows: Iterable[AddOnEdit]) -> dict[str, AddOn]:
    primaries: dict[str, set[str]] = defaultdict(set)
    never_denied: set[str] = set()
    for row in rows:
        named = primaries[row.add_on]
        if row.primary != CONTRACTOR_DEFINED:
            named.add(row.primary)
        if row.type != 1 or row.primary == CONTRACTOR_DEFINED:
            never_denied.add(row.add_on)
    return {code: AddOn(frozenset(named), code not in never_denied) for code, named in primaries.items()}
