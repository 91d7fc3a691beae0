"""``ccipra-v<version>r<revision>-f<part>.txt`` of CMS: NCCI procedure-to-procedure edits for practitioners.

Tab-delimited Latin-1 text, in parts that split on column 1. Titles and column heads, then seven fields a
line: column 1, column 2, ``*`` if it existed before 1996, effective and deletion date (``YYYYMMDD``, ``*``
for not deleted), modifier indicator 0, 1 or 9, rationale. The same pair recurs with other dates. Version
32.2 is the third quarter of 2026. The workbooks that CMS puts beside the text files hold the same rows and
are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from sys import intern

from worker.codes.errors import CodeSetError
from worker.codes.publishers.draft import (
    HEADER_LIMIT,
    Draft,
    compact_date,
    lines_of,
    quarter_name,
    quarter_start,
)
from worker.codes.sets import PAIRS
from worker.codes.tables.pairs import render_pairs
from worker.codes.tables.rows import PROCEDURE

_NAME = re.compile(r"ccipra-v(\d\d)([0-3])r(\d+)-f(\d{1,3})(?!\d)", re.IGNORECASE)
_FIRST_YEAR = 1994  # version 1 would have been of 1995
_HEADING = re.compile(r"column\s*1", re.IGNORECASE)
_FIELDS = 7

_Row = tuple[str, str, int, date | None, date | None]


def read_ncci_ptp(files: list[Path]) -> Draft:
    """The release of one or more parts; raises ``CodeSetError`` with the line that does not fit."""
    effective = _effective(files)
    text = render_pairs(_rows_of_all(files))
    return Draft(PAIRS, effective, quarter_name(effective) if effective else None, text)


def _effective(files: list[Path]) -> date | None:
    """The quarter that all the parts' names agree on; None when they do not tell."""
    named = [_NAME.search(path.name) for path in files]
    told = [one for one in named if one is not None]
    quarters = {quarter_start(_FIRST_YEAR + int(one[1]), int(one[2]) + 1) for one in told}
    if len(quarters) > 1:
        raise CodeSetError(files[-1], None, "the parts are of different versions")
    if not told or len(told) < len(files):
        return None
    parts = {int(one[4]) for one in told}
    missing = set(range(1, max(parts))) - parts
    if missing:
        raise CodeSetError(
            files[0], None, f"part f{min(missing)} is missing: give all parts of a release together"
        )
    return quarters.pop()


def _rows_of_all(files: list[Path]) -> Iterator[_Row]:
    seen_in: dict[str, Path] = {}
    for path in files:
        for number, row in _rows(path):
            if seen_in.setdefault(row[0], path) != path:
                reason = f"column 1 code {row[0]} stands in {seen_in[row[0]].name} too: parts never share one"
                raise CodeSetError(path, number, reason)
            yield row


def _rows(path: Path) -> Iterator[tuple[int, _Row]]:
    if path.suffix.lower() != ".txt":
        raise CodeSetError(path, None, "give the tab-delimited .txt of the release")
    in_heading = in_data = False
    for number, line in lines_of(path):
        fields = line.split("\t")
        if not in_heading:
            in_heading = _HEADING.fullmatch(fields[0].strip()) is not None
            if number >= HEADER_LIMIT:
                raise CodeSetError(path, number, f"no 'Column 1' heading in the first {HEADER_LIMIT} lines")
        elif in_data or any(field.strip() for field in fields[:2]):  # wrapped heads leave both codes blank
            in_data = True
            yield number, _row(path, number, fields)
    if not in_data:
        raise CodeSetError(path, None, "no edit in it")


def _row(path: Path, number: int, fields: list[str]) -> _Row:
    if len(fields) != _FIELDS:
        raise CodeSetError(path, number, f"{len(fields)} tab-delimited fields, not {_FIELDS}")
    column_1, column_2, before_1996, effective, deletion, indicator, _ = (field.strip() for field in fields)
    for column, code in (("column 1", column_1), ("column 2", column_2)):
        if PROCEDURE.fullmatch(code) is None:
            raise CodeSetError(path, number, f"{column} {code!r} is no procedure code")
    if before_1996 not in {"", "*"}:
        raise CodeSetError(
            path, number, f"the mark of edits before 1996 is {before_1996!r}, not * or nothing"
        )
    if indicator not in {"0", "1", "9"}:
        raise CodeSetError(path, number, f"modifier indicator {indicator!r} is not 0, 1 or 9")
    try:
        until = None if deletion == "*" else compact_date(deletion)
        return intern(column_1), intern(column_2), int(indicator), compact_date(effective), until
    except ValueError as error:
        raise CodeSetError(path, number, str(error)) from None
