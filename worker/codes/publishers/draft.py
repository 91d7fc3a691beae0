"""A release read from a publisher's files, not yet written anywhere."""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import MINYEAR, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from worker.codes.errors import CodePathError
from worker.codes.sets import CodeSet

HEADER_LIMIT = 20
"""Titles, copyright and column heads of the publishers' files end within this many lines."""


@dataclass(frozen=True)
class Draft:
    """What an import would write."""

    code_set: CodeSet[Any]
    effective: date | None
    """None when the file's name does not tell."""
    name: str | None
    text: str


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a publisher's text file with their numbers, without line ends; blank ones are left out.

    CMS writes Latin-1 and CR LF; the codes, dates and indicators in it are ASCII. Raises ``CodePathError``.
    """
    try:
        with path.open(encoding="latin-1", newline=None) as file:
            for number, line in enumerate(file, start=1):
                written = line.rstrip("\n")
                if written and not written.isspace():
                    yield number, written
    except OSError as error:
        raise CodePathError(path, None, f"cannot be read: {error.strerror}") from error


@lru_cache(maxsize=4096)  # a release of edits repeats a few hundred dates millions of times
def compact_date(written: str) -> date:
    """The date of ``YYYYMMDD``; ``ValueError`` that says so when it is none."""
    if len(written) == 8 and written.isascii() and written.isdigit():
        with suppress(ValueError):
            return date(int(written[:4]), int(written[4:6]), int(written[6:]))
    raise ValueError(f"{written!r} is no date (YYYYMMDD)")


def ordinal_date(written: str) -> date:
    """The date of ``YYYYDDD``, year and day of the year; ``ValueError`` that says so when it is none."""
    if len(written) == 7 and written.isascii() and written.isdigit():
        year, day = int(written[:4]), int(written[4:])
        if year >= MINYEAR and 1 <= day <= 365 + isleap(year):
            return date(year, 1, 1) + timedelta(days=day - 1)
    raise ValueError(f"{written!r} is no date (YYYYDDD)")


def quarter_start(year: int, quarter: int) -> date:
    """The first day of a quarter, 1 to 4."""
    return date(year, 3 * quarter - 2, 1)


def quarter_name(day: date) -> str:
    """The quarter that a day is in, such as ``2024Q3``."""
    return f"{day.year}Q{(day.month + 2) // 3}"


def american_date(written: str) -> date:
    """The date of ``MM-DD-YYYY``; ``ValueError`` when it is none."""
    return datetime.strptime(written, "%m-%d-%Y").date()  # noqa: DTZ007  a calendar date has no zone
