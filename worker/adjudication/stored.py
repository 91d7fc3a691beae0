"""A member's history as bytes: the value of its changelog record, and what a lane keeps in memory.

The first byte is the version of all that follows, so that it can be migrated. The rest is MessagePack, fields
told by their place.
"""

from __future__ import annotations

import msgspec

from worker.adjudication.held import History

VERSION = 1
"""Raised with every change of the shapes in ``held`` and ``kept``."""

_encode_into = msgspec.msgpack.Encoder().encode_into
_decode = msgspec.msgpack.Decoder(History).decode


class UnknownVersion(ValueError):  # noqa: N818  reads as what it says
    """A state of a version that this engine does not read."""


def version_of(state: bytes) -> int | None:
    """The version of a stored history; None of an empty value, which has none."""
    return state[0] if state else None


def read(state: bytes) -> History:
    """The history that was stored.

    Raises UnknownVersion, or ``msgspec.DecodeError`` on bytes that no ``write`` has written.
    """
    found = version_of(state)
    if found != VERSION:
        raise UnknownVersion(f"a member history of version {found}; this engine reads version {VERSION}")
    try:
        return _decode(memoryview(state)[1:])
    except (UnicodeDecodeError, RecursionError):  # whose texts would quote the history
        raise msgspec.DecodeError("a member history that no worker has written") from None


def write(history: History) -> bytes:
    """The history as it is stored; the same history, the same bytes."""
    state = bytearray((VERSION,))
    _encode_into(history, state, 1)
    return bytes(state)
