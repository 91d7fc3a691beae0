"""Records whose headers have names that are not UTF-8, which Kafka allows and aiokafka does not read.

Its parser raises on them, at the same record after every restart and on every worker. Here such a batch is
parsed once more, by aiokafka's parser in pure Python, and the names keep their bytes as ``RawName``.

A batch's records are made one by one, as they are asked for: of a batch that is being read its bytes are in
memory, unpacked (four times for a moment where it has such a name), and no record that was not asked for.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ESCAPED = "surrogateescape"
STANDS_FOR = "mms.packed-batch"
"""The header of what stands for a batch that is not unpacked: its offsets and codec, and why."""
ZSTD = _DefaultRecordBatchPy.CODEC_ZSTD


class RawName(str):
    """The name of a header that is not UTF-8; encoding gives back its bytes."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = ESCAPED) -> bytes:  # noqa: ARG002  as str has it
        """The bytes that came in."""
        return super().encode("utf-8", ESCAPED)


def has_raw_name(headers: Iterable[tuple[str, bytes | None]]) -> bool:
    """Whether a record's headers have a name that is not UTF-8."""
    return RawName in [type(name) for name, _ in headers]


def read_raw_names() -> None:
    """Let every consumer of this process read headers whose names are not UTF-8."""
    fetcher.MemoryRecords = Records


def write_raw_names(batch: Any, batch_bytes: int) -> None:
    """Let an empty batch of a transactional producer take such names: its own builder does not."""
    builder = _DefaultRecordBatchBuilderPy(
        2,
        ZSTD,
        is_transactional=1,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=0,
        batch_size=batch_bytes,
    )
    batch._builder = builder  # noqa: SLF001  no public way
    # The batch's own method takes no builder but the fast one.
    batch._set_producer_state = builder.set_producer_state  # noqa: SLF001


class Records(_MemoryRecordsPy):  # type: ignore[misc]  # aiokafka has no types
    """What a fetch brought of one partition, batch by batch."""

    def next_batch(self) -> Any:
        """The next batch, or None."""
        raw = self._next_slice
        batch = super().next_batch()
        return batch if raw is None else _Batch(batch, raw)


class _Batch:
    """A batch as aiokafka's fast parser has it, but for its records."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        count = 0
        try:
            for record in self._batch:
                yield record
                count += 1
        except UnicodeDecodeError:
            yield from islice(_RawNamed(self._raw), count, None)


class _RawNamed(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch whose headers' names are decoded without loss."""

    def _maybe_uncompress(self) -> None:
        if not self._decompressed:
            super()._maybe_uncompress()
            self._buffer: bytearray = _Buffer(self._buffer)


class _Buffer(bytearray):
    """Of what is cut out of it only headers' names are decoded."""

    def __getitem__(self, place: Any) -> Any:
        cut = super().__getitem__(place)
        return _Name(cut) if isinstance(place, slice) else cut


class _Name(bytearray):
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        try:
            return super().decode(encoding, errors)
        except UnicodeDecodeError:
            return RawName(super().decode(encoding, ESCAPED))
