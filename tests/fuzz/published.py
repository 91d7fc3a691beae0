"""A result as its schema has it, as closed types: quicker to ask of each result than the schema itself."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

Text: TypeAlias = Annotated[str, Meta(min_length=1)]
Digest: TypeAlias = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}(?![\s\S])")]
ResultId: TypeAlias = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?![\s\S])")
]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=80)]


class _Closed(Struct, forbid_unknown_fields=True): ...


class Adjustment(_Closed):
    group: Literal["CO", "OA", "PI", "PR", "CR"]
    carc: Text
    rarc: list[Text]


class Finding(_Closed):
    rule: Text
    verdict: Literal["met", "not_met", "unknown", "violated", "satisfied"]
    policy: Text
    version: Text
    citation: Text
    evidence: dict[str, str | int | bool | list[str] | None]
    reason: Text


class Line(_Closed):
    line: Annotated[int, Meta(ge=1)]
    decision: Literal["pay", "deny", "pend", "not_reviewed"]
    units_allowed: Annotated[int, Meta(ge=0)] | None
    adjustments: list[Adjustment]
    findings: list[Finding]


class Needed(_Closed):
    line: Annotated[int, Meta(ge=1)]
    lesion: str | None
    facts: Annotated[list[Text], Meta(min_length=1)]


class Cause(_Closed):
    source: Text
    id: Text
    type: Text


class Basis(_Closed):
    engine: Text
    policies: dict[str, Text]
    code_sets: dict[str, Text]
    digest: Digest
    history_digest: Digest


class Published(_Closed):
    result_id: ResultId
    claim_id: Id
    member_id: Id
    revision: Annotated[int, Meta(ge=1)]
    supersedes: ResultId | None
    outcome: Literal["pay", "deny", "partial", "pend", "void", "out_of_scope"]
    cause: Cause
    lines: Annotated[list[Line], Meta(max_length=50)]
    documentation_needed: list[Needed]
    basis: Basis
    input_digest: Digest


_read = msgspec.json.Decoder(Published).decode


def read_published(value: bytes) -> Published:
    """The result that the bytes hold; raises ``msgspec.DecodeError`` on what its schema does not allow."""
    found = _read(value)
    assert (found.supersedes is None) == (found.revision == 1)
    assert bool(found.lines) == (found.outcome != "void")
    assert found.outcome == "pend" or not found.documentation_needed
    assert not found.documentation_needed or any(line.decision == "pend" for line in found.lines)
    for line in found.lines:
        assert line.decision != "deny" or (line.units_allowed == 0 and line.adjustments and line.findings)
        assert line.decision != "pend" or (line.units_allowed is None and line.adjustments and line.findings)
        assert line.decision != "not_reviewed" or not (line.units_allowed or line.adjustments)
    return found
