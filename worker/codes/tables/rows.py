"""Strict reading of small comma-separated tables, and the shapes that their cells may have."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

from worker.codes.errors import CodeSetError

PROCEDURE = re.compile(r"[0-9A-Z]{5}")
DIAGNOSIS = re.compile(r"[A-Z][0-9A-Z]{2}(?:\.[0-9A-Z]{1,4})?")
"""ICD-10-CM in its published form. The second character may be a letter since ``QA0`` (FY2026)."""
MODIFIER = re.compile(r"[0-9A-Z]{2}")


class Row:
    """The cells of one line; every accessor refuses the line when the cell has another shape."""

    __slots__ = ("_cells", "_source", "line")

    def __init__(self, source: Path, line: int, cells: dict[str, str]) -> None:
        self._source = source
        self._cells = cells
        self.line = line

    def fault(self, reason: str) -> CodeSetError:
        """The error that refuses this line."""
        return CodeSetError(self._source, self.line, reason)

    def text(self, column: str) -> str:
        """The cell as it stands, possibly empty."""
        return self._cells[column]

    def shaped(self, column: str, shape: re.Pattern[str]) -> str:
        """The cell, which as a whole has this shape."""
        cell = self._cells[column]
        if shape.fullmatch(cell) is None:
            raise self.fault(f"{column} {cell!r} is malformed")
        return cell

    def one_of(self, column: str, allowed: Iterable[str]) -> str:
        """The cell, which is one of these words."""
        cell = self._cells[column]
        if cell not in allowed:
            raise self.fault(f"{column} {cell!r} is not one of {', '.join(sorted(allowed)) or 'nothing'}")
        return cell

    def number(self, column: str) -> int:
        """The cell as a whole number, not negative."""
        cell = self._cells[column]
        if not (cell.isascii() and cell.isdigit() and len(cell) < 20):
            raise self.fault(f"{column} {cell!r} is not a whole number")
        return int(cell)

    def day(self, column: str) -> date | None:
        """The cell as an ISO 8601 calendar date; None when it is empty."""
        cell = self._cells[column]
        if not cell:
            return None
        try:
            return date.fromisoformat(cell)
        except ValueError:
            raise self.fault(f"{column} {cell!r} is no date (YYYY-MM-DD)") from None


def read_rows(text: str, source: Path, columns: Sequence[str]) -> Iterator[Row]:
    """The data rows of a table whose first line names exactly these columns; one line is one row.

    A table without a row, or whose last line is cut off, is refused: it is what is left of another.
    """
    expected = list(columns)
    lines = text.splitlines()
    if not lines or _cells(lines[0], source, 1) != expected:
        raise CodeSetError(source, 1, f"the first line is not {','.join(expected)}")
    if len(lines) == 1:
        raise CodeSetError(source, 1, "no row follows")
    if not text.endswith("\n"):
        raise CodeSetError(source, len(lines), "the last line is cut off")
    for number, line in enumerate(lines[1:], start=2):
        cells = _cells(line, source, number)
        if len(cells) != len(expected):
            raise CodeSetError(source, number, f"{len(cells)} fields, not {len(expected)}")
        yield Row(source, number, dict(zip(expected, cells, strict=True)))


def _cells(line: str, source: Path, number: int) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise CodeSetError(source, number, str(error)) from None


def render_rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The text of a table; ``read_rows`` reads it back."""
    lines = [",".join(columns)]
    lines.extend(",".join("" if cell is None else str(cell) for cell in row) for row in rows)
    return "\n".join(lines) + "\n"
