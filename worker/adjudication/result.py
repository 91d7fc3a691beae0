"""Rulings to decision: the only place where precedence lives. And the result, as the contract encodes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha1
from typing import Literal, TypeAlias
from uuid import UUID

import orjson
from msgspec import Struct

from worker.adjudication.finding import Finding, Ruling
from worker.adjudication.policy import Adjustment
from worker.adjudication.service import Service

Decision: TypeAlias = Literal["pay", "deny", "pend", "not_reviewed"]
Outcome: TypeAlias = Literal["pay", "deny", "partial", "pend", "void", "out_of_scope"]

RESULTS = UUID("6f0c7a52-3b51-5d0e-9c58-0f1f2c7f4a11")
"""Name space of result ids."""


class LineDecision(Struct, frozen=True, gc=False):
    """What becomes of a line: 0 units allowed on a deny, None on pend and not_reviewed."""

    line: int
    decision: Decision
    units_allowed: int | None
    adjustments: tuple[Adjustment, ...]
    findings: tuple[Finding, ...]


class Needed(Struct, frozen=True, gc=False):
    """Facts of which any one could settle a pended line."""

    line: int
    lesion: str | None
    facts: tuple[str, ...]


class Cause(Struct, frozen=True, gc=False):
    """The event that brought about a result."""

    source: str
    id: str
    type: str


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


def result_id_of(claim_id: str, revision: int, cause: Cause, basis_digest: str, history_digest: str) -> str:
    """The id of a result: a UUIDv5 (RFC 9562, 5.5) of claim, revision, cause and basis."""
    name = orjson.dumps(
        [claim_id, revision, cause.source, cause.id, cause.type, basis_digest, history_digest]
    )
    # By hand, without the overhead of ``uuid``.
    text = sha1(RESULTS.bytes + name, usedforsecurity=False).hexdigest()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


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


def line_decision(service: Service) -> LineDecision:
    """A line's decision with its determining findings: deny comes before pend, pend before pay."""
    number = service.line.line
    if not service.reviewed:
        return LineDecision(number, "not_reviewed", None, (), ())
    if service.status == "deny":
        first = next(ruling for ruling in service.rulings if ruling.effect == "deny")
        return LineDecision(number, "deny", 0, _adjustments([first]), (first.finding,))
    if service.status == "pend":
        open_ = [ruling for ruling in service.rulings if ruling.effect == "pend"]
        findings = tuple(ruling.finding for ruling in open_)
        return LineDecision(number, "pend", None, _adjustments(open_), findings)
    if service.units == service.line.units:
        return LineDecision(number, "pay", service.units, (), _in_favour(service))
    limits = [ruling for ruling in service.rulings if ruling.effect == "limit"]
    findings = (*_in_favour(service), *(ruling.finding for ruling in limits))
    return LineDecision(number, "pay", service.units, _adjustments(limits), findings)


def _in_favour(service: Service) -> tuple[Finding, ...]:
    """Why a line is paid: the indications met, or beside Mohs surgery what sets it apart."""
    if service.met:
        return service.met
    apart = tuple(
        ruling.finding
        for ruling in service.rulings
        if ruling.effect == "none" and ruling.finding.rule.startswith(("bundling.", "ncci.pair"))
    )
    return apart or (service.book.satisfied("ncci.no-edit", "No edit stands against the line.").finding,)


def _adjustments(rulings: Sequence[Ruling]) -> tuple[Adjustment, ...]:
    found = (ruling.adjustment for ruling in rulings if ruling.adjustment is not None)
    return tuple(dict.fromkeys(found))


def needed(services: Sequence[Service]) -> tuple[Needed, ...]:
    """What records could settle the pended lines, a line each; those that hang on other lines need none."""
    found = []
    for service in services:
        if service.reviewed and service.status == "pend":
            facts = service.needed_facts()
            if facts:
                found.append(Needed(service.line.line, service.lesion, facts))
    return tuple(found)


def outcome_of(services: Sequence[Service]) -> Outcome:
    """Fold the lines under review; units allowed below units billed make a claim partial (contract)."""
    standing = {service.status for service in services if service.reviewed}
    if not standing:
        return "out_of_scope"
    if "pend" in standing:
        return "pend"
    if len(standing) > 1:
        return "partial"
    if "deny" in standing:
        return "deny"
    limited = [service for service in services if service.reviewed and service.units < service.line.units]
    return "partial" if limited else "pay"


def encode(result: Result) -> bytes:
    """The result as one line of JSON, keys in the contract's order; the same result, the same bytes."""
    return orjson.dumps(
        {
            "result_id": result.result_id,
            "claim_id": result.claim_id,
            "member_id": result.member_id,
            "revision": result.revision,
            "supersedes": result.supersedes,
            "outcome": result.outcome,
            "cause": {"source": result.cause.source, "id": result.cause.id, "type": result.cause.type},
            "lines": [_line(line) for line in result.lines],
            "documentation_needed": [
                {"line": one.line, "lesion": one.lesion, "facts": one.facts}
                for one in result.documentation_needed
            ],
            "basis": orjson.Fragment(result.basis.json),
            "input_digest": result.input_digest,
        }
    )


def _line(line: LineDecision) -> dict[str, object]:
    return {
        "line": line.line,
        "decision": line.decision,
        "units_allowed": line.units_allowed,
        "adjustments": [{"group": one.group, "carc": one.carc, "rarc": one.rarc} for one in line.adjustments],
        "findings": [finding.encoded for finding in line.findings],
    }
