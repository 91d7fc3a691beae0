"""Claims and records as a member's history keeps them: the same values, packed without field names.

Unpacking gives a claim equal to the packed one in every field. Fields are told by their place, so a change
of any of these shapes is a new version of the state (``stored``).
"""

from __future__ import annotations

import msgspec

from worker.adjudication.claim import (
    BillingProvider,
    Claim,
    Documentation,
    DocumentationReceived,
    Lesion,
    Line,
    RenderingProvider,
    Stage,
)
from worker.adjudication.redacted import redacted


class _Biller(BillingProvider, frozen=True, gc=False, array_like=True): ...


class _Renderer(RenderingProvider, frozen=True, gc=False, array_like=True): ...


class _Stage(Stage, frozen=True, gc=False, array_like=True): ...


class _Lesion(Lesion, frozen=True, gc=False, array_like=True, kw_only=True):
    stages: tuple[_Stage, ...] | None = None


class _Documentation(Documentation, frozen=True, gc=False, array_like=True, kw_only=True):
    lesions: tuple[_Lesion, ...] | None = None


class _Line(Line, frozen=True, gc=False, array_like=True): ...


class _Claim(Claim, frozen=True, gc=False, array_like=True, kw_only=True):
    billing_provider: _Biller
    lines: tuple[_Line, ...]
    rendering_provider: _Renderer | None = None
    documentation: _Documentation | None = None


@redacted
class Records(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Documentation that came after its claim, with its place in the order of merging (policy §6)."""

    received: int
    """Day of receipt, as a proleptic ordinal."""
    source: str
    id: str
    documentation: _Documentation


_encode = msgspec.msgpack.Encoder().encode
_decode_claim = msgspec.msgpack.Decoder(_Claim).decode


def pack(claim: Claim) -> bytes:
    """The claim as history keeps it."""
    return _encode(msgspec.convert(claim, _Claim, from_attributes=True))


def unpack(body: bytes | memoryview | msgspec.Raw) -> Claim:
    """The claim that was packed. Raises ``msgspec.ValidationError`` on bytes that no ``pack`` has written."""
    return _decode_claim(body)


def records(source: str, id_: str, received: DocumentationReceived) -> Records:
    """Documentation as history keeps it, with the source and id of its event."""
    documentation = msgspec.convert(received.documentation, _Documentation, from_attributes=True)
    return Records(received.received_date.toordinal(), source, id_, documentation)
