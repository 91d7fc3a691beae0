"""Which part of the evidence is compared: what ``--from`` and ``--to`` say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TypeAlias

from msgspec import Struct

from worker.replay.reading.evidence import EvidenceError


class Offset(Struct, frozen=True, tag="offset"):
    """The same place in every partition; in files the number of a line, counted from 0 over all of them."""

    offset: int


class Offsets(Struct, frozen=True, tag="offsets"):
    """Places by partition, in the order of partitions. A partition that is not named has no bound."""

    by_partition: tuple[tuple[int, int], ...]

    def of(self, partition: int) -> int | None:
        """The place in a partition; None where it is not bounded."""
        return dict(self.by_partition).get(partition)


class Moment(Struct, frozen=True, tag="time"):
    """The first record whose timestamp is at or after it. Milliseconds since 1970, not negative."""

    ms: int


Bound: TypeAlias = Offset | Offsets | Moment


class Bounds(Struct, frozen=True):
    """From ``begin`` up to and without ``end``; None is no bound."""

    begin: Bound | None = None
    end: Bound | None = None


TIMES = "a date (2026-05-04), a date and time (2026-05-04T13:30:00Z, UTC where it names no zone)"
FORMS = f"{TIMES}, an offset (1200), or offsets by partition (0:1200,3:800)"
LARGEST = 2**63 - 1
"""Kafka's offsets are signed and have 64 bits."""

_DIGITS = re.compile(r"[0-9]{1,19}")
_PLACES = re.compile(r"[0-9]{1,9}:[0-9]{1,19}(,[0-9]{1,9}:[0-9]{1,19})*")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)


def bounds(begin: str | None, end: str | None) -> Bounds:
    """What ``--from`` and ``--to`` mean; None is one that was not given.

    Raises ValueError with one line for a person: a bound that is none of ``FORMS``, or a ``--from`` that is
    behind ``--to``. Whether a time is behind an offset can be told in the topic only.
    """
    found = Bounds(
        None if begin is None else _bound("--from", begin), None if end is None else _bound("--to", end)
    )
    if _is_behind(found.begin, found.end):
        raise ValueError(f"--from {begin} is behind --to {end}: nothing lies between them")
    return found


def moment(option: str, text: str) -> Moment:
    """What an option means that is a time. Raises ValueError with one line for a person where it is none."""
    if not _TIME.fullmatch(text.strip()):
        raise ValueError(f"{option} {text}: give {TIMES}")
    return _moment(option, text.strip())


def refuse_empty(asked: Bounds, *, has_events: bool) -> None:
    """Raise EvidenceError if a window was asked for and no event lies in it: nothing would be proven."""
    if asked != Bounds() and not has_events:
        raise EvidenceError("no event lies between --from and --to, of those that are decided")


def _bound(option: str, text: str) -> Bound:
    text = text.strip()
    if _DIGITS.fullmatch(text):
        return Offset(_offset(f"{option} {text}", text))
    if _PLACES.fullmatch(text):
        return _places(option, text)
    if _TIME.fullmatch(text):
        return _moment(option, text)
    raise ValueError(f"{option} {text}: give {FORMS}")


def _offset(given: str, digits: str) -> int:
    if int(digits) > LARGEST:
        raise ValueError(f"{given}: no offset is larger than {LARGEST}")
    return int(digits)


def _places(option: str, text: str) -> Offsets:
    found: dict[int, int] = {}
    for place in text.split(","):
        partition, _, offset = place.partition(":")
        if int(partition) in found:
            raise ValueError(f"{option} {text}: partition {int(partition)} is there twice")
        found[int(partition)] = _offset(f"{option} {text}", offset)
    return Offsets(tuple(sorted(found.items())))


def _moment(option: str, text: str) -> Moment:
    try:
        moment = datetime.fromisoformat(text.upper())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{option} {text}: no calendar has that time; give {FORMS}") from None
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    # Timestamps are whole milliseconds: at or after a part of one means at or after the next.
    return Moment(max(0, -(-microseconds // 1000)))


def _is_behind(begin: Bound | None, end: Bound | None) -> bool:
    """Whether ``begin`` is behind ``end``, as far as that can be told of them alone."""
    match begin, end:
        case Moment(first), Moment(last):
            return first > last
        case Offset(first), Offset(last):
            return first > last
        case Offset(first), Offsets(places):
            return any(first > last for _, last in places)
        case Offsets(places), Offset(last):
            return any(first > last for _, first in places)
        case Offsets(), Offsets(places):
            return any((begin.of(partition) or 0) > last for partition, last in places)
    return False
