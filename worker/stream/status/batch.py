"""The headers of record batches, which tell times, producers and markers without unpacking a record."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = Struct(">qiibIhiqqqhii")
"""Of a batch of message format 2, as Kafka's protocol guide has it."""
BEFORE_LENGTH = 12
"""Bytes of base offset and length, which the length does not count."""
CONTROL, TRANSACTIONAL, LOG_APPEND_TIME = 0x20, 0x10, 0x08
MARKER_KEY = Struct(">hh")
MARKER_KEY_PLACE = HEADER.size + 5
"""Behind a control record's length, attributes, time delta, offset delta and key length, a byte each."""
ABORT, COMMIT = 0, 1


class Batch(NamedTuple):
    """What the header of a batch says; times are in milliseconds since 1970, or -1."""

    base_offset: int
    next_offset: int
    bytes: int
    """Size of the whole batch."""
    first_ms: int
    """Time of its first record, whether that is still there or not."""
    last_ms: int
    """The latest time of its records."""
    producer: int
    records: int
    is_transactional: bool
    is_control: bool
    is_dated_by_broker: bool
    """Whether its times are by a broker's clock, not by its producer's."""
    marker: int | None
    """``ABORT`` or ``COMMIT``; None of data, and of a marker that the log cleaner has emptied."""


def batches(fetched: bytes) -> Iterator[Batch]:
    """The batches that fetched bytes begin with; the last may be cut off, if its header is whole.

    A marker that is cut off is left out, since it cannot tell what it is.
    """
    place = 0
    while place + HEADER.size <= len(fetched):
        batch = _batch(fetched, place)
        is_whole = place + batch.bytes <= len(fetched)
        if batch.is_control and batch.records > 0:
            if not is_whole:
                return
            _, marker = MARKER_KEY.unpack_from(fetched, place + MARKER_KEY_PLACE)
            batch = batch._replace(marker=marker)
        yield batch
        place += batch.bytes


def _batch(fetched: bytes, place: int) -> Batch:
    base, length, _, _, _, attributes, last, first_ms, last_ms, producer, _, _, records = HEADER.unpack_from(
        fetched, place
    )
    return Batch(
        base,
        base + last + 1,
        BEFORE_LENGTH + length,
        last_ms if attributes & LOG_APPEND_TIME else first_ms,
        last_ms,
        producer,
        records,
        bool(attributes & TRANSACTIONAL),
        bool(attributes & CONTROL),
        bool(attributes & (CONTROL | LOG_APPEND_TIME)),
        None,
    )
