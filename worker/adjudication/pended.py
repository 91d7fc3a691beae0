"""How long a member's claims have been waiting for an answer, told from a stored history at a glance."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from worker.adjudication.redacted import redacted
from worker.adjudication.stored import VERSION, version_of

PENDED = b"pend"
"""What a stored history has in it if a claim's latest result is a pend: the outcome is kept as a word."""


@redacted
class _Published(Struct, array_like=True, gc=False):
    """The beginning of ``held.Published``."""

    revision: Raw
    result_id: Raw
    outcome: str


@redacted
class _Held(Struct, array_like=True, gc=False):
    """The beginning of ``held.Held``; what is not asked for is passed over unread."""

    claim_id: Raw
    frequency: Raw
    original_claim_id: Raw
    received: int
    inherited: Raw
    standing: Raw
    is_lost: Raw
    is_expired: Raw
    dates: Raw
    seen: Raw
    published: _Published


@redacted
class _History(Struct, array_like=True, gc=False):
    """``held.History``."""

    claims: list[_Held]


_decode = msgspec.msgpack.Decoder(_History).decode


def oldest_pend(state: bytes) -> int | None:
    """Date of receipt, as a proleptic ordinal, of the oldest claim that is pended; None if none is.

    ``state`` is a stored history. Most have no pend, and are not decoded for it; nothing is told of one that
    is damaged or of another version, which ``stored.read`` refuses.
    """
    if PENDED not in state or version_of(state) != VERSION:
        return None
    try:
        held = _decode(memoryview(state)[1:]).claims
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return min([one.received for one in held if one.published.outcome == "pend"], default=None)
