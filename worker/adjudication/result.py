"""A result as a value: what becomes of each line, why, and by what it was decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import orjson
from msgspec import Struct

from worker.adjudication.finding import Finding
from worker.adjudication.policy import Adjustment
from worker.adjudication.redacted import redacted

Decision: TypeAlias = Literal["pay", "deny", "pend", "not_reviewed"]
Outcome: TypeAlias = Literal["pay", "deny", "partial", "pend", "void", "out_of_scope"]


@redacted
class LineDecision(Struct, frozen=True, gc=False):
    """What becomes of a line: 0 units allowed on a deny, None on pend and not_reviewed."""

    line: int
    decision: Decision
    units_allowed: int | None
    adjustments: tuple[Adjustment, ...]
    findings: tuple[Finding, ...]


@redacted
class Needed(Struct, frozen=True, gc=False):
    """Facts of which any one could settle a pended line."""

    line: int
    lesion: str | None
    facts: tuple[str, ...]


@redacted
class Cause(Struct, frozen=True, gc=False):
    """The event that brought about a result."""

    source: str
    id: str
    type: str


@redacted
class Basis(Struct, frozen=True, gc=False):
    """What was decided by: rules, policies, code sets and history."""

    engine: str
    policies: Mapping[str, str]
    code_sets: Mapping[str, str]
    digest: str
    history_digest: str
    json: bytes
    """Its encoding, made once: claims of the same days share all but the history."""

    def with_history(self, digest: str) -> Basis:
        """The same basis over another history."""
        json = self.json[: -len(self.history_digest) - len(b'"}')] + digest.encode() + b'"}'
        return Basis(self.engine, self.policies, self.code_sets, self.digest, digest, json)


@redacted
class Result(Struct, frozen=True, gc=False):
    """Data of ``mms.claim.adjudicated.v1``."""

    result_id: str
    claim_id: str
    member_id: str
    revision: int
    supersedes: str | None
    outcome: Outcome
    cause: Cause
    lines: tuple[LineDecision, ...]
    documentation_needed: tuple[Needed, ...]
    basis: Basis
    input_digest: str


def basis_of(
    engine: str, policies: Mapping[str, str], code_sets: Mapping[str, str], digest: str, history_digest: str
) -> Basis:
    """Make a basis, its JSON included (keys in the contract's order)."""
    shown = {
        "engine": engine,
        "policies": policies,
        "code_sets": code_sets,
        "digest": digest,
        "history_digest": history_digest,
    }
    return Basis(engine, policies, code_sets, digest, history_digest, orjson.dumps(shown))
