"""Batches that their senders packed, unpacked no further than to a bound.

Brokers bound a batch as it is compressed: 1 MiB of Zstandard can hold many GiB, and aiokafka unpacks a batch
as a whole. Here one that comes to more than ``UNPACKED_BYTES``, or that cannot be unpacked at all, is not
lost and stops nobody: in the place of its records stands one record with the batch as it came, which no one
can decode and which so becomes a dead letter.

A batch is unpacked before any record of it is read, never half: what stands for it has the offset of its
last record, so that it is met wherever within the batch the reading begins.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import cramjam
from aiokafka.record.default_records import DefaultRecordBase

from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.adjudication.redacted import redacted
from worker.stream.records import STANDS_FOR, Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

UNPACKED_BYTES = 16 * MAX_VALUE_BYTES
"""Most that the records of one batch may come to. A sender's batch of claims has a few MiB at the most: the
bound of the topic is on what it is compressed, and claims compress to a tenth or a twentieth."""
FIRST_GUESS = 16
"""How much larger than it came the room for a batch is at first; most batches of claims fit in there."""
NEXT_GUESS = 4
"""How much larger it is each time that it was too small, up to the bound."""

CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_CODEC_MASK = DefaultRecordBase.CODEC_MASK
_HEADER = DefaultRecordBase.HEADER_STRUCT
_LENGTH = struct.Struct(">i")
_LENGTH_AT = struct.calcsize(">q")
_LENGTH_COUNTS_FROM = DefaultRecordBase.AFTER_LEN_OFFSET
_ATTRIBUTES = struct.Struct(">h")
_ATTRIBUTES_AT = DefaultRecordBase.ATTRIBUTES_OFFSET
_MAGIC_AT = struct.calcsize(">qii")

_PIECE = 1 << 16
"""Bytes of gzip's that are unpacked at a time."""
_XERIAL = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
"""What a snappy stream in blocks begins with, as Java's clients write it."""


class CannotUnpack(ValueError):  # noqa: N818  reads as what it says
    """A batch is beyond the bound, or damaged; the message says which."""


@redacted
class StandIn(NamedTuple):
    """What stands for a batch, with the attributes of aiokafka's records."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


class BoundedRecords:
    """What a fetch brought of one partition, batch by batch, none of them unpacked beyond the bound."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.has_next = records.has_next

    def next_batch(self) -> Any:
        """The next batch; brokers' markers, and what was sent uncompressed, as aiokafka has them."""
        raw = self._records._next_slice  # noqa: SLF001  the bytes of the batch, which nothing public gives
        batch = self._records.next_batch()
        # Brokers since 4.0 take no batch of an older format, and no broker compresses its markers.
        if raw is None or raw[_MAGIC_AT] < 2 or not codec_of(raw) or batch.is_control_batch:
            return batch
        return _Packed(batch, raw)


class _Packed:
    """A compressed batch: aiokafka's own in all but its records."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            plain = unpacked(self._raw)
        except CannotUnpack as why:
            yield self._stand_in(why)
            return
        yield from Records(plain).next_batch()

    def _stand_in(self, why: CannotUnpack) -> StandIn:
        """The batch in the place of its records; without a key, since each of them has its own."""
        _, _, _, _, _, attributes, last, _, timestamp, *_, count = _HEADER.unpack_from(self._raw)
        first = self._batch.base_offset
        codec = CODECS.get(codec_of(self._raw), "an unknown codec")
        told = f"{count} records, offsets {first} to {first + last}, in {codec}: {why}"
        is_append_time = bool(attributes & DefaultRecordBase.TIMESTAMP_TYPE_MASK)
        headers: list[tuple[str, bytes | None]] = [(STANDS_FOR, told.encode())]
        return StandIn(first + last, timestamp, int(is_append_time), None, bytes(self._raw), headers)


def codec_of(batch: memoryview) -> int:
    """The number of the codec that a batch is compressed with; 0 of one that is not."""
    attributes: int = _ATTRIBUTES.unpack_from(batch, _ATTRIBUTES_AT)[0]
    codec: int = attributes & _CODEC_MASK
    return codec


def unpacked(batch: memoryview, most: int = UNPACKED_BYTES) -> bytearray:
    """The same batch uncompressed; its CRC is that of the compressed one.

    ``batch`` has Kafka's format 2 and is compressed. Raises CannotUnpack if its records are more than
    ``most`` bytes, or no such.
    """
    unpack = _UNPACK.get(codec_of(batch))
    if unpack is None:
        raise CannotUnpack("the codec is none of Kafka's")
    try:
        plain = unpack(batch[_HEADER.size :], most)
    except (cramjam.DecompressionError, zlib.error, OSError, EOFError, struct.error) as damaged:
        raise CannotUnpack(f"it is damaged, or unpacks to more than {most} bytes") from damaged
    plain[: _HEADER.size] = batch[: _HEADER.size]
    _LENGTH.pack_into(plain, _LENGTH_AT, len(plain) - _LENGTH_COUNTS_FROM)
    attributes: int = _ATTRIBUTES.unpack_from(batch, _ATTRIBUTES_AT)[0]
    _ATTRIBUTES.pack_into(plain, _ATTRIBUTES_AT, attributes & ~_CODEC_MASK)
    return plain


def _beyond(most: int) -> CannotUnpack:
    return CannotUnpack(f"it unpacks to more than {most} bytes")


def _gunzipped(packed: memoryview, most: int) -> bytearray:
    plain = bytearray(_HEADER.size)
    with gzip.GzipFile(fileobj=BytesIO(packed)) as file:
        while found := file.read(_PIECE):
            plain += found
            if len(plain) > _HEADER.size + most:
                raise _beyond(most)
    if len(plain) == _HEADER.size:
        raise EOFError
    return plain


def _unsnapped(packed: memoryview, most: int) -> bytearray:
    """Snappy tells the size beforehand: of the whole as librdkafka sends it, of each block as Java does."""
    blocks = list(_blocks(packed)) if packed[: len(_XERIAL)] == _XERIAL else [packed]
    sizes = [cramjam.snappy.decompress_raw_len(block) for block in blocks]
    if sum(sizes) > most:
        raise _beyond(most)
    plain, at = bytearray(_HEADER.size + sum(sizes)), _HEADER.size
    with memoryview(plain) as whole:
        for block, size in zip(blocks, sizes, strict=True):
            with whole[at : at + size] as room:
                cramjam.snappy.decompress_raw_into(block, room)
            at += size
    return plain


def _blocks(packed: memoryview) -> Iterator[memoryview]:
    at = len(_XERIAL)
    while at < len(packed):
        (size,) = _LENGTH.unpack_from(packed, at)
        at += _LENGTH.size
        if not 0 < size <= len(packed) - at:
            raise EOFError
        yield packed[at : at + size]
        at += size


def _within(into: Callable[[memoryview, memoryview], int]) -> Callable[[memoryview, int], bytearray]:
    """A codec whose frames need not say how large they become: it is given room, and at most the bound."""

    def unpack(packed: memoryview, most: int) -> bytearray:
        room = FIRST_GUESS * len(packed) or FIRST_GUESS
        while room < most:
            try:
                return _into(into, packed, room)
            except cramjam.DecompressionError:
                room *= NEXT_GUESS  # of which the room may be the reason
        return _into(into, packed, most)

    return unpack


def _into(into: Callable[[memoryview, memoryview], int], packed: memoryview, size: int) -> bytearray:
    plain = bytearray(_HEADER.size + size)
    with memoryview(plain) as whole, whole[_HEADER.size :] as room:
        written = into(packed, room)
    del plain[_HEADER.size + written :]
    return plain


_UNPACK: Mapping[int, Callable[[memoryview, int], bytearray]] = {
    1: _gunzipped,
    2: _unsnapped,
    3: _within(cramjam.lz4.decompress_into),
    4: _within(cramjam.zstd.decompress_into),
}
