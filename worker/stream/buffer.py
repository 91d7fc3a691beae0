"""What a lane has fetched and not decided yet: bounded by its water marks, taken in batches."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord

    from worker.settings import Settings

BATCH_BYTES = 4 << 20
"""Size of input records above which a batch is not made larger."""


class Buffer:
    """Records of one partition in the order of their offsets."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._records: deque[ConsumerRecord] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        """How many records there are."""
        return len(self._records)

    @property
    def bytes(self) -> int:
        """Their size: keys, values and headers."""
        return self._bytes

    @property
    def oldest_ms(self) -> int | None:
        """Kafka timestamp of the first record; None of an empty buffer."""
        return self._records[0].timestamp if self._records else None

    def add(self, records: Sequence[ConsumerRecord]) -> None:
        """Add records behind those that are there."""
        self._records.extend(records)
        self._bytes += sum(map(_size, records))

    def take(self) -> list[ConsumerRecord]:
        """Take what is there, within the bounds of a batch."""
        most, size = self._settings.batch_max_records, 0
        taken: list[ConsumerRecord] = []
        while self._records and len(taken) < most and size < BATCH_BYTES:
            record = self._records.popleft()
            size += _size(record)
            taken.append(record)
        self._bytes -= size
        return taken

    def put_back(self, records: Sequence[ConsumerRecord]) -> None:
        """Put records back that were taken: they are the next to be taken."""
        self._records.extendleft(reversed(records))
        self._bytes += sum(map(_size, records))

    def clear(self) -> None:
        """Forget all of it; it will be fetched again."""
        self._records.clear()
        self._bytes = 0

    @property
    def is_full_batch(self) -> bool:
        """Whether there is as much as a batch may have."""
        return len(self._records) >= self._settings.batch_max_records or self._bytes >= BATCH_BYTES

    @property
    def is_above_high_water(self) -> bool:
        """Whether no more is to be fetched."""
        settings = self._settings
        return len(self._records) > settings.buffer_high_records or self._bytes > settings.buffer_high_bytes

    @property
    def is_below_low_water(self) -> bool:
        """Whether there is room to fetch again."""
        settings = self._settings
        return (
            len(self._records) <= settings.buffer_low_records
            and self._bytes <= settings.buffer_high_bytes // 2
        )


def _size(record: ConsumerRecord) -> int:
    """Bytes of key, value and headers; a null counts nothing."""
    size = len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        size += len(name) + len(value or b"")
    return size
