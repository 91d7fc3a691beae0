"""Brings made-up events close to today: what a load sends was received a few weeks ago at most."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from worker.devkit.claims import Event

WITHIN_DAYS = 28
"""Services lie within so many days before today. Whole weeks: each stays on its day of the week."""
REMEMBERED_CLAIMS = 20_000
"""Claims back to which an event may be about one. What follows a claim comes within some hundred events."""
RECEIPTS = ("received_date", "expired_date")
"""By which an event says when it was received, if it does."""


class _Move(NamedTuple):
    """What moves the dates of a claim and of all that is about it, however long after it that is sent."""

    by: timedelta
    latest: date


class Recent:
    """Moves the dates of events: a claim's, and those of what becomes of it, by the same number of days.

    A day of service becomes the latest day before today that lies whole ``WITHIN_DAYS`` from it: all that a
    member was billed for one day stays on one day. Nothing is received after today: records that would have
    come long after their claim come today. An event that is met twice is moved alike both times. ``today``
    tells the day, and may tell a later one as a load goes on.
    """

    def __init__(self, today: Callable[[], date]) -> None:
        self._today = today
        self._moves: dict[str, _Move] = {}

    def moved(self, event: Event) -> Event:
        """The event with its dates of service, receipt and expiry moved; the one given stays as it is."""
        data = event["data"]
        lines = data.get("lines", [])
        receipts = {name: data[name] for name in RECEIPTS if name in data}
        days = [line["service_date"] for line in lines] or list(receipts.values())
        if (move := self._move(data["claim_id"], days)) is None:
            return event
        changed: dict[str, object] = {name: _day(day, move) for name, day in receipts.items()}
        if lines:
            changed["lines"] = [line | {"service_date": _day(line["service_date"], move)} for line in lines]
        return event | {"data": data | changed}

    def _move(self, claim_id: str, days: list[str]) -> _Move | None:
        """That of the claim; of one that is met for the first time by the first of these days."""
        if claim_id in self._moves or not days:
            return self._moves.get(claim_id)
        latest = self._today()
        ago = (latest - date.fromisoformat(min(days))).days - 1
        if len(self._moves) == REMEMBERED_CLAIMS:
            del self._moves[next(iter(self._moves))]
        self._moves[claim_id] = _Move(timedelta(days=ago - ago % WITHIN_DAYS), latest)
        return self._moves[claim_id]


def utc_today() -> date:
    """The day by UTC, as the worker reckons how long a claim has been pended."""
    return datetime.now(UTC).date()


def _day(day: str, move: _Move) -> str:
    moved = date.fromisoformat(day) + move.by
    return min(moved, move.latest).isoformat()
