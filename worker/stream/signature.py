"""What a signature of a result is: which bytes are signed, and the header that holds it. No key is here.

It covers key, value, timestamp and the headers of ``SIGNED``: what a reader acts on. Topic, partition and
offset are left out, since a mirror or an archive gives them anew, and so is ``traceparent``, which whoever
passes a record on may continue (W3C Trace Context, section 3.4).

The header is ``ed25519;<key id>;<base64 of the 64 bytes>``. Whoever has the public key can check it with
Ed25519 (RFC 8032) over ``statement`` and nothing of this project.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TypeAlias

SIGNATURE = "mms-signature"
ALGORITHM = "ed25519"
SIGNED = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type")
"""Headers that are signed, in this order. By another content-type the same value would be read otherwise."""
KEY_ID_DIGITS = 16
CRYPTO = "needs cryptography: install mms-adjudication-worker[crypto]"

Sign: TypeAlias = Callable[[bytes | None, bytes, int, Sequence[tuple[str, bytes | None]]], bytes]
"""Key, value, timestamp and headers of a result to the header that signs it."""

_DOMAIN = b"mms-result-signature-v1\0"
"""Nothing else that the same key may sign begins so, nor does another version of this."""
_ABSENT = b"\xff\xff\xff\xff"


def statement(
    key: bytes | None, value: bytes | None, timestamp: int, headers: Sequence[tuple[str, bytes | None]]
) -> bytes:
    """The bytes that are signed; no two results that say different things have the same.

    ``mms-result-signature-v1`` and a byte of zero; the timestamp in 8 bytes; then key, value and the headers
    of ``SIGNED``, each behind its length in 4 bytes, which are ``ff ff ff ff`` where there is none. Numbers
    are two's complement, the highest byte first. Each header of ``SIGNED`` must be there once at most.
    """
    named = dict(headers)
    parts = [_DOMAIN, timestamp.to_bytes(8, "big", signed=True)]
    for part in (key, value, *[named.get(name) for name in SIGNED]):
        if part is None:
            parts.append(_ABSENT)
        else:
            parts += len(part).to_bytes(4, "big"), part
    return b"".join(parts)


def key_id_of(public: bytes) -> str:
    """The id of a public key, given its 32 bytes: the first 16 hex digits of their SHA-256.

    It tells which key to check by, and proves nothing itself.
    """
    return sha256(public).hexdigest()[:KEY_ID_DIGITS]
