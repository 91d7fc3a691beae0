"""Records to be written, and how they are packed into batches of a producer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from worker.adjudication.redacted import redacted
from worker.stream.records import has_raw_name, write_raw_names

BATCH_BYTES = 1 << 20
"""Uncompressed size above which a producer batch is split; one larger record makes a batch of its own."""


@redacted
class Outgoing(NamedTuple):
    """A record to be written; its partition is its input's, ``timestamp`` is in milliseconds."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[tuple[str, bytes | None]]
    cause: int | None = None
    """Offset of the input record that it answers."""

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        headers = sum([len(name) + len(value or b"") for name, value in self.headers])
        return len(self.key or b"") + len(self.value or b"") + headers


@redacted
class Packed(NamedTuple):
    """A batch of the producer, closed, and what is in it."""

    batch: Any
    records: list[Outgoing]


def packed(records: Iterable[Outgoing], new_batch: Callable[[], Any]) -> list[Packed]:
    """The records in as few batches as take them, in order; ``new_batch`` is the producer's."""
    found: list[Packed] = []
    batch: Any = None
    for record in records:
        headers = list(record.headers)
        raw = has_raw_name(headers)
        if batch is None or raw or not _appended(batch, record, headers):
            if batch is not None:
                batch.close()
            batch = new_batch()
            found.append(Packed(batch, []))
            if raw:
                write_raw_names(batch, BATCH_BYTES)
            _appended(batch, record, headers)
            if raw:
                batch.close()  # it stays alone
        found[-1].records.append(record)
    if batch is not None:
        batch.close()
    return found


def _appended(batch: Any, record: Outgoing, headers: list[tuple[str, bytes | None]]) -> bool:
    added = batch.append(timestamp=record.timestamp, key=record.key, value=record.value, headers=headers)
    return added is not None
