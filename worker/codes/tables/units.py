"""NCCI medically unlikely edits, one release: a code, its units limit and its adjudication indicator."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from worker.adjudication.codesets import Mue
from worker.codes.tables.rows import PROCEDURE, read_rows, render_rows

SUFFIX = ".csv"
INDICATORS = ("1", "2", "3")
"""1 a line, 2 a day by policy, 3 a day by clinical judgement."""
_COLUMNS = ("procedure", "units", "mai")


def parse_units(text: str, source: Path) -> dict[str, Mue]:
    """The limit of every code of the release."""
    table: dict[str, Mue] = {}
    for row in read_rows(text, source, _COLUMNS):
        procedure = row.shaped("procedure", PROCEDURE)
        if procedure in table:
            raise row.fault(f"{procedure} stands here twice")
        table[procedure] = Mue(row.number("units"), int(row.one_of("mai", INDICATORS)))
    return table


def render_units(rows: Iterable[tuple[str, int, int]]) -> str:
    """The text of a release, of rows of code, units and adjudication indicator."""
    return render_rows(_COLUMNS, sorted(rows))
