"""Which event a record is, and which one a result names: source and id, told without decoding all of it."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from msgspec import Struct

from worker.adjudication.redacted import redacted
from worker.replay.reading.evidence import UNREADABLE

if TYPE_CHECKING:
    from worker.replay.reading.evidence import Record
    from worker.replay.reading.recorded import Recorded

Identity: TypeAlias = int
"""Of an event, 64 bits over its source and id: there are many of them."""


@redacted
class _Attributes(Struct):
    source: str
    id: str


_attributes = msgspec.json.Decoder(_Attributes).decode


def identity_of(record: Record) -> Identity | None:
    """That of an event; None where it has none that can be read."""
    headers = dict(record.headers)
    if "ce_id" in headers:
        source, name = headers.get("ce_source") or b"", headers["ce_id"] or b""
        return _hashed(source, name)
    try:
        found = _attributes(record.value or b"")
    except UNREADABLE:
        return None
    return _hashed(_encoded(found.source), _encoded(found.id))


def named_by(said: Recorded) -> Identity:
    """That of the event that a result names as its cause."""
    return _hashed(_encoded(said.cause.source), _encoded(said.cause.id))


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _hashed(source: bytes, name: bytes) -> Identity:
    content = b"%d:%b%b" % (len(source), source, name)
    return int.from_bytes(blake2b(content, digest_size=8).digest())
