"""Days put together to weeks, months or years, so that a picture of them can be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from msgspec import Struct

MOST = 40
"""Columns that a picture has at most."""


class Period(Struct, frozen=True):
    """Some days in a row, and what they come to by name."""

    label: str
    counts: dict[str, int]


class Periods(Struct, frozen=True):
    """Periods without a gap, the empty ones too; ``unit`` is what one of them is called."""

    unit: str
    periods: Sequence[Period]


def periods(by_day: Mapping[str, Mapping[str, int]]) -> Periods:
    """By day if that makes at most 40 columns, else by week (from Monday), month, quarter or years."""
    days = sorted(map(date.fromisoformat, by_day))
    if not days:
        return Periods("day", ())
    first, last = days[0], days[-1]
    years = -(-(last.year - first.year + 1) // MOST)
    units: tuple[tuple[str, Callable[[date], int], Callable[[int], str]], ...] = (
        ("day", date.toordinal, lambda number: date.fromordinal(number).isoformat()),
        ("week", _week, lambda number: date.fromordinal(number * 7 + 1).isoformat()),
        ("month", _month, lambda number: f"{number // 12:04}-{number % 12 + 1:02}"),
        ("quarter", lambda day: _month(day) // 3, lambda number: f"{number // 4:04} Q{number % 4 + 1}"),
    )
    for unit, number_of, label in units:
        if number_of(last) - number_of(first) < MOST:
            return Periods(unit, _gathered(by_day, number_of, label))
    unit = "year" if years == 1 else f"{years} years"
    return Periods(
        unit, _gathered(by_day, lambda day: day.year // years, lambda number: f"{number * years:04}")
    )


def _gathered(
    by_day: Mapping[str, Mapping[str, int]], number_of: Callable[[date], int], label: Callable[[int], str]
) -> list[Period]:
    found: dict[int, dict[str, int]] = {}
    for day, counts in by_day.items():
        into = found.setdefault(number_of(date.fromisoformat(day)), {})
        for name, count in counts.items():
            into[name] = into.get(name, 0) + count
    return [Period(label(one), found.get(one, {})) for one in range(min(found), max(found) + 1)]


def _week(day: date) -> int:
    """Weeks since the first Monday there is, 1 January of the year 1."""
    return (day.toordinal() - 1) // 7


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1
