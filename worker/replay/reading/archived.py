"""What a line of a file, or a row of a table, holds; and what can be told of it without decoding it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from worker.adjudication.redacted import redacted
from worker.replay.reading.evidence import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence


@redacted
class Row(NamedTuple):
    """A record in a file. Lines of JSON have a value alone."""

    value: bytes | None
    key: bytes | UnsetType | None = UNSET
    """UNSET where the file does not say keys: it is told from the value then."""
    timestamp: int | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
    origin: tuple[int, int] | None = None
    """Partition and offset that it had in its topic, where the file says them."""


@redacted
class Peeked(NamedTuple):
    """What a value tells when it is looked into: whose it is, and when it was."""

    member: bytes | None
    """None where it cannot be told; decoding says why."""
    time: str | None
    """The CloudEvents time that the value has."""
    is_wrapped: bool
    """Whether the value is a whole CloudEvent: what it is about is its ``data``."""


@redacted
class Line(Struct, frozen=True, gc=False):
    """A row as a record of a topic."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@redacted
class _Data(Struct):
    member_id: str | UnsetType = UNSET


@redacted
class _Value(Struct):
    specversion: str | UnsetType = UNSET
    time: str | None = None
    member_id: str | UnsetType = UNSET
    """Of a bare result, or an event in binary mode."""
    data: _Data | UnsetType = UNSET


@redacted
class _Wrapped(Struct):
    data: msgspec.Raw


_decode = msgspec.json.Decoder(_Value).decode
_decode_wrapped = msgspec.json.Decoder(_Wrapped).decode


def peek(row: Row) -> Peeked:
    """Look into a row. What cannot be read is nobody's, and of no time: decoding it says what is wrong."""
    try:
        told = _decode(row.value or b"")
        data = told.data
        member_id = UNSET if data is UNSET else data.member_id
        if member_id is UNSET:
            member_id = told.member_id
        member = None if member_id is UNSET else member_id.encode()
    except UNREADABLE:
        return Peeked(None if row.key is UNSET else row.key, None, False)
    if row.key is not UNSET:
        member = row.key
    return Peeked(member, told.time, data is not UNSET and told.specversion is not UNSET)


def timestamp(row: Row, peeked: Peeked) -> int:
    """Milliseconds since 1970: of the row, else of its CloudEvents time; 0 where there is neither."""
    if row.timestamp is not None:
        return row.timestamp
    return _ms(peeked.time or _header_time(row.headers))


def unwrapped(value: bytes) -> bytes:
    """The ``data`` of a structured-mode CloudEvent that was peeked into, byte for byte."""
    return bytes(_decode_wrapped(value).data)


def _header_time(headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    with suppress(UnicodeDecodeError):
        for name, value in headers:
            if name == "ce_time" and value is not None:
                return value.decode()
    return None


def _ms(time: str | None) -> int:
    """A CloudEvents time in milliseconds since 1970; 0 of one that is none."""
    if time is None:
        return 0
    leap = time[17:19] == "60"  # RFC 3339 has leap seconds, Python has not
    text = f"{time[:17]}59{time[19:]}" if leap else time
    try:
        moment = datetime.fromisoformat(text.upper())
        since = moment - _EPOCH
    except (ValueError, TypeError, OverflowError):  # TypeError: it names no zone
        return 0
    return since // _MS + (1000 if leap else 0)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
