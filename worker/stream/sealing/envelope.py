"""A sealed value as bytes, and what it is bound to.

    marker | version | length of the key's id | key's id | wrapped data key | nonce | packing, content, tag

The first four fields are a byte, a byte, a byte and ASCII; a wrapped data key has 40 bytes, a nonce 12, a tag
16. All before the nonce is the same for every value of a data key: its *head*.
"""

from __future__ import annotations

from typing import NamedTuple

from worker.adjudication.redacted import redacted

MARKER = 0xFF
"""The first byte. A stored history begins with its version, which is never raised so far."""
VERSION = 1
"""Of all that follows."""
WRAPPED_BYTES = 40
"""A data key of 32 bytes behind the check value of RFC 3394."""
NONCE_BYTES = 12
TAG_BYTES = 16
MOST_ID_BYTES = 200
"""As long as a name may be in the settings."""
OVERHEAD_BYTES = 3 + MOST_ID_BYTES + WRAPPED_BYTES + NONCE_BYTES + 1 + TAG_BYTES
"""By how much a sealed value may be longer than it was."""
_FIXED = 3
_NO_KEY = b"\xff\xff\xff\xff"
"""No key is so long: Kafka counts its bytes with a sign."""


class Damaged(Exception):  # noqa: N818  reads as what it says
    """A value that is no whole envelope."""


@redacted
class Envelope(NamedTuple):
    """The parts of a sealed value."""

    key_id: str
    """Names the master key that has wrapped the data key."""
    head: bytes
    wrapped: bytes
    nonce: bytes
    sealed: bytes
    """Packing and content, encrypted, and the tag."""


class Place(NamedTuple):
    """Where a value may be opened: as what, in which topic, on which partition."""

    purpose: str
    topic: str
    partition: int

    def binding(self, key: bytes | None) -> bytes:
        """The additional authenticated data of a record with this key here; of two places, never the same.

        Each part has its length before it, so that nothing can move from one part to the next. No key is
        told from an empty one.
        """
        parts = (self.purpose.encode(), self.topic.encode(), str(self.partition).encode())
        return b"".join(map(_framed, parts)) + (_NO_KEY if key is None else _framed(key))


def history_place(topic: str, partition: int) -> Place:
    """Where a member's history may be opened."""
    return Place("history", topic, partition)


def letter_place(topic: str, partition: int) -> Place:
    """Where a dead letter's value may be opened."""
    return Place("dead letter", topic, partition)


def is_sealed(value: bytes) -> bool:
    """Whether a history is sealed; of other values the first byte tells nothing."""
    return value[:1] == _MARKED


def head_of(key_id: str, wrapped: bytes) -> bytes:
    """What the values of a data key begin with."""
    name = key_id.encode("ascii")
    return bytes((MARKER, VERSION, len(name))) + name + wrapped


def parts_of(value: bytes) -> Envelope:
    """The parts of a sealed value. Raises Damaged where they are not all there, or of another version."""
    if value[:2] != _BEGINNING or len(value) < _FIXED:
        raise Damaged("it is no sealed value of a version that this worker knows")
    named = _FIXED + value[2]
    headed = named + WRAPPED_BYTES
    begins = headed + NONCE_BYTES
    name = value[_FIXED:named]
    if len(value) < begins + 1 + TAG_BYTES or not name.isascii():
        raise Damaged("it is not whole")
    return Envelope(
        name.decode("ascii"), value[:headed], value[named:headed], value[headed:begins], value[begins:]
    )


def _framed(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


_MARKED = bytes((MARKER,))
_BEGINNING = bytes((MARKER, VERSION))
