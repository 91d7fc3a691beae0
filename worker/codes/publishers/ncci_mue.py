"""``MCR_MUE_PractitionerServices_Eff_MM-DD-YYYY.csv`` of CMS: NCCI medically unlikely edits, practitioners.

Comma-separated, with a copyright notice of several lines in one quoted cell, then the column heads (the
first has a line break in it), then code, units, adjudication indicator in words, rationale. The date is in
the name of the file only.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from worker.codes.errors import CodePathError, CodeSetError
from worker.codes.publishers.draft import HEADER_LIMIT, Draft, american_date, quarter_name
from worker.codes.sets import UNITS
from worker.codes.tables.rows import PROCEDURE
from worker.codes.tables.units import render_units

_NAME = re.compile(r"PractitionerServices_Eff_(\d\d-\d\d-\d{4})", re.IGNORECASE)
_HEADING = re.compile(r"hcpcs\s*/\s*cpt\s+code", re.IGNORECASE)
_INDICATOR = re.compile(r"(?:(1) Line|([23]) Date of Service) Edit(?:: .*)?")
_FIELDS = 4


def read_ncci_mue(files: list[Path]) -> Draft:
    """The release of one file; raises ``CodeSetError`` with the line that does not fit."""
    if len(files) != 1:
        raise CodeSetError(files[1], None, "a release of medically unlikely edits is one file")
    (path,) = files
    text = render_units(_rows(path))
    named = _NAME.search(path.name)
    if named is None:
        return Draft(UNITS, None, None, text)
    try:
        effective = american_date(named[1])
    except ValueError:
        raise CodeSetError(path, None, f"{named[1]} in the name is no date (MM-DD-YYYY)") from None
    return Draft(UNITS, effective, quarter_name(effective), text)


def _rows(path: Path) -> Iterator[tuple[str, int, int]]:
    seen: set[str] = set()
    in_data = False
    for number, cells in _records(path):
        if not in_data:
            in_data = _HEADING.fullmatch(" ".join(cells[0].split())) is not None
            if in_data and not any("practitioner" in cell.lower() for cell in cells):
                raise CodeSetError(
                    path, number, "not the practitioner services file, as its column heads say"
                )
            if number > HEADER_LIMIT and not in_data:
                raise CodeSetError(
                    path, number, f"no 'HCPCS/CPT Code' head in the first {HEADER_LIMIT} lines"
                )
        else:
            row = _row(path, number, cells)
            if row[0] in seen:
                raise CodeSetError(path, number, f"{row[0]} stands here twice")
            seen.add(row[0])
            yield row
    if not seen:
        raise CodeSetError(path, None, "no edit in it")


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The records that have anything in them, each with the number of its last line."""
    try:
        with path.open(encoding="latin-1", newline="") as file:
            reader = csv.reader(file, strict=True)
            try:
                for cells in reader:
                    if any(cell.strip() for cell in cells):
                        yield reader.line_num, cells
            except csv.Error as error:
                raise CodeSetError(path, reader.line_num, str(error)) from None
    except OSError as error:
        raise CodePathError(path, None, f"cannot be read: {error.strerror}") from error


def _row(path: Path, number: int, cells: list[str]) -> tuple[str, int, int]:
    if len(cells) != _FIELDS:
        raise CodeSetError(path, number, f"{len(cells)} fields, not {_FIELDS}")
    code, units, indicator, _ = (cell.strip() for cell in cells)
    if PROCEDURE.fullmatch(code) is None:
        raise CodeSetError(path, number, f"{code!r} is no procedure code")
    if not (units.isascii() and units.isdigit() and len(units) < 20):
        raise CodeSetError(path, number, f"the units {units!r} are not a whole number")
    words = _INDICATOR.fullmatch(indicator)
    if words is None:
        reason = f"adjudication indicator {indicator!r} is not '1 Line Edit' or '2|3 Date of Service Edit: …'"
        raise CodeSetError(path, number, reason)
    return code, int(units), int(words[1] or words[2])
