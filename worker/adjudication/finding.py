"""A finding: what one rule found about one line, with the evidence and the place to read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from worker.adjudication.policy import Adjustment

Verdict: TypeAlias = Literal["met", "not_met", "unknown", "violated", "satisfied"]
Decision: TypeAlias = Literal["pay", "deny", "pend", "not_reviewed"]
Outcome: TypeAlias = Literal["pay", "deny", "partial", "pend", "void", "out_of_scope"]


class Finding(Struct, frozen=True):
    """One rule's word on one line. ``reason`` is one plain sentence in the project's own words."""

    rule: str
    verdict: Verdict
    policy: str
    version: str
    citation: str
    evidence: Mapping[str, object]
    reason: str


class LineDecision(Struct, frozen=True):
    """What becomes of a line: 0 units allowed on a deny, None on pend and not_reviewed."""

    line: int
    decision: Decision
    units_allowed: int | None
    adjustments: tuple[Adjustment, ...]
    findings: tuple[Finding, ...]


class Needed(Struct, frozen=True):
    """Facts of which any one could settle a pended line."""

    line: int
    lesion: str | None
    facts: tuple[str, ...]


class Cause(Struct, frozen=True):
    """The event that brought about a result."""

    source: str
    id: str
    type: str


class Basis(Struct, frozen=True):
    """What was decided by: rules, policies, code sets and history."""

    engine: str
    policies: Mapping[str, str]
    code_sets: Mapping[str, str]
    digest: str
    history_digest: str


class Result(Struct, frozen=True):
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
