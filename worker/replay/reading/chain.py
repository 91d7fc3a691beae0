"""A digest over records in their order, which can be stopped and taken up again.

Whoever has the records can compute it anew, with SHA-256 and MessagePack and nothing of this project:

    digest(0) = 32 bytes of zero
    digest(n) = SHA256(msgpack([digest(n-1), offset, timestamp, key, value, [[name, value], ...]]))

of record n, counted from 1, with its headers in their order. The array and the headers are MessagePack
arrays, header names ``str``, digests, keys and values ``bin``, a missing key or value ``nil``, and every
length and number takes its shortest form. A header's name that is not UTF-8 is its bytes, as ``bin``.

Lengths are part of it, so no two different sequences of records give the same bytes, and null is told from
empty.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct, msgpack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.replay.reading.evidence import Record

START = bytes(32)


class ChainState(Struct, frozen=True):
    """Where a chain stands: enough to go on from there."""

    digest: str
    """Hexadecimal."""
    records: int


class Chain:
    """A running digest. Take it up with the ``state`` of one that was stopped."""

    __slots__ = ("_buffer", "_digest", "records")

    def __init__(self, state: ChainState | None = None) -> None:
        """Begin anew, or go on. Raises ValueError for a state whose digest is none."""
        self._buffer = bytearray()
        self._digest = START if state is None else bytes.fromhex(state.digest)
        if len(self._digest) != len(START):
            raise ValueError("a chain's digest has 32 bytes")
        self.records = 0 if state is None else state.records
        """How many it has taken in."""

    @property
    def digest(self) -> str:
        """Over all records so far, hexadecimal."""
        return self._digest.hex()

    @property
    def state(self) -> ChainState:
        """Where it stands."""
        return ChainState(self.digest, self.records)

    def take(self, records: Iterable[Record]) -> None:
        """Take records in, in their order; how they are divided among calls makes no difference."""
        digest, buffer, count = self._digest, self._buffer, self.records
        for record in records:
            content = digest, record.offset, record.timestamp, record.key, record.value, record.headers
            try:
                _encode_into(content, buffer)
            except (TypeError, UnicodeEncodeError):  # RawName is no str for MessagePack
                _encode_into((*content[:-1], [_raw(*header) for header in record.headers]), buffer)
            digest = sha256(buffer).digest()
            count += 1
        self._digest, self.records = digest, count


_encode_into = msgpack.Encoder().encode_into


def _raw(name: str, value: bytes | None) -> tuple[str | bytes, bytes | None]:
    """A header; its name as bytes where it is not UTF-8 (``worker.stream.records.RawName``)."""
    return (name if type(name) is str else name.encode()), value
