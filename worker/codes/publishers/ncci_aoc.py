"""``AOC_V<year>Q<quarter>-MCR.txt`` of CMS: NCCI add-on code edits, the fixed-width form of 2022 and later.

By position, from 1: edit type (1); add-on code (2-6) and its deletion date (7-13); primary code (14-18),
``CCCCC`` when the contractor defines them, and its deletion date (19-25); effective date (26-32) and
deletion date (33-39) of the edit; special instruction (40 on). Dates are ``YYYYDDD``, year and day of the
year, or blank. The layout was put together from public readers of the file and the heads of the workbook
beside it (see SOURCES.md), not from a copy of the file itself.

A row holds from its effective date to the earliest of its three deletion dates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from worker.codes.errors import CodeSetError
from worker.codes.publishers.draft import (
    HEADER_LIMIT,
    Draft,
    lines_of,
    ordinal_date,
    quarter_name,
    quarter_start,
)
from worker.codes.sets import ADD_ONS
from worker.codes.tables.add_ons import CONTRACTOR_DEFINED, TYPES, AddOnEdit, render_add_ons
from worker.codes.tables.rows import PROCEDURE

_NAME = re.compile(r"AOC_V([12]\d{3})Q([1-4])", re.IGNORECASE)
_WIDTH = 39
_OPEN_YEAR = 9999  # some publishers write "never" as the last day that a date can hold


def read_ncci_aoc(files: list[Path]) -> Draft:
    """The release of one file; raises ``CodeSetError`` with the line that does not fit."""
    if len(files) != 1:
        raise CodeSetError(files[1], None, "a release of add-on code edits is one file")
    (path,) = files
    text = render_add_ons(_rows(path))
    named = _NAME.search(path.name)
    if named is None:
        return Draft(ADD_ONS, None, None, text)
    effective = quarter_start(int(named[1]), int(named[2]))
    return Draft(ADD_ONS, effective, quarter_name(effective), text)


def _rows(path: Path) -> Iterator[AddOnEdit]:
    if path.suffix.lower() != ".txt":
        raise CodeSetError(path, None, "give the fixed-width .txt of the release")
    in_data = False
    for number, line in lines_of(path):
        in_data = in_data or line[0].isdigit()
        if in_data:
            yield _row(path, number, line.ljust(_WIDTH))
        elif number >= HEADER_LIMIT:
            raise CodeSetError(path, number, f"no edit in the first {HEADER_LIMIT} lines")
    if not in_data:
        raise CodeSetError(path, None, "no edit in it")


def _row(path: Path, number: int, line: str) -> AddOnEdit:
    edit_type, add_on, primary = line[0], line[1:6], line[13:18]
    if edit_type not in TYPES:
        raise CodeSetError(path, number, f"edit type {edit_type!r} is not 1, 2 or 3")
    for what, code in (("add-on code", add_on), ("primary code", primary)):
        if PROCEDURE.fullmatch(code) is None:
            raise CodeSetError(path, number, f"{what} {code!r} is no procedure code")
    if add_on == CONTRACTOR_DEFINED:
        raise CodeSetError(path, number, f"{CONTRACTOR_DEFINED} stands for primaries, not for an add-on")
    try:
        deletions = [_day(line[start : start + 7]) for start in (6, 18, 32)]
        effective = _day(line[25:32])
    except ValueError as error:
        raise CodeSetError(path, number, str(error)) from None
    deletion = min((day for day in deletions if day is not None), default=None)
    return AddOnEdit(add_on, primary, int(edit_type), effective, deletion)


def _day(written: str) -> date | None:
    if written.isspace():
        return None
    day = ordinal_date(written)
    return None if day.year == _OPEN_YEAR else day
