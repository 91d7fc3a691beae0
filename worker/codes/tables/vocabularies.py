"""Tables that no decision asks, only policy authors: modifiers, places, reason codes, fee schedule.

Code numbers, dates and indicators; the texts of CPT modifiers are the AMA's and those of CARC and RARC are
X12's, so they are not here.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import NamedTuple

from worker.codes.tables.rows import MODIFIER, PROCEDURE, read_rows

SUFFIX = ".csv"

_PLACE = re.compile(r"\d{2}")
_DECIMAL = re.compile(r"\d+\.\d+")
_REASON = re.compile(r"[0-9A-Z]{1,5}")
_FEE_SCHEDULE_COLUMNS = (
    "procedure", "modifier", "status", "pctc", "global_days", "multiple_procedure", "bilateral", "assistant",
    "co_surgeon", "team", "rvu_work", "rvu_non_facility", "rvu_facility",
)  # fmt: skip


class Validity(NamedTuple):
    """From when to when a code may be used, both included; None is open."""

    start: date | None
    end: date | None

    def covers(self, day: date) -> bool:
        """Whether the code may be used on a day."""
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)


class FeeScheduleEntry(NamedTuple):
    """Indicators of the Medicare physician fee schedule; relative value units are decimal strings."""

    procedure: str
    modifier: str
    status: str
    pctc: str
    global_days: str
    multiple_procedure: str
    bilateral: str
    assistant: str
    co_surgeon: str
    team: str
    rvu_work: str
    rvu_non_facility: str
    rvu_facility: str


def parse_modifiers(text: str, source: Path) -> dict[str, str]:
    """Modifier to its level, ``CPT`` or ``HCPCS``."""
    return {
        row.shaped("modifier", MODIFIER): row.one_of("level", ("CPT", "HCPCS"))
        for row in read_rows(text, source, ("modifier", "level", "category"))
    }


def parse_places(text: str, source: Path) -> dict[str, str]:
    """Place of service to its setting."""
    return {
        row.shaped("place", _PLACE): row.one_of("setting", ("facility", "non-facility"))
        for row in read_rows(text, source, ("place", "setting"))
    }


def parse_reasons(text: str, source: Path) -> dict[tuple[str, str], Validity]:
    """Kind (``group``, ``carc``, ``rarc``) and code to when the code may be used."""
    return {
        (row.one_of("kind", ("group", "carc", "rarc")), row.shaped("code", _REASON)): Validity(
            row.day("start"), row.day("end")
        )
        for row in read_rows(text, source, ("kind", "code", "start", "end"))
    }


def parse_fee_schedule(text: str, source: Path) -> dict[tuple[str, str], FeeScheduleEntry]:
    """Procedure and modifier (empty, ``26`` or ``TC``) to the entry."""
    found: dict[tuple[str, str], FeeScheduleEntry] = {}
    for row in read_rows(text, source, _FEE_SCHEDULE_COLUMNS):
        for units in ("rvu_work", "rvu_non_facility", "rvu_facility"):
            row.shaped(units, _DECIMAL)
        key = (row.shaped("procedure", PROCEDURE), row.one_of("modifier", ("", "26", "TC", "53")))
        found[key] = FeeScheduleEntry(*(row.text(column) for column in _FEE_SCHEDULE_COLUMNS))
    return found
