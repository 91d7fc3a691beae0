"""The steps composed once: an event and the reference data in, a result or a rejection out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from hashlib import sha1, sha256
from typing import NamedTuple
from uuid import UUID

import orjson

from worker.adjudication.claim import Claim, Event, Line
from worker.adjudication.codesets import CodeSets, Tables
from worker.adjudication.day import decide_day
from worker.adjudication.decode import Rejected
from worker.adjudication.enrich import enrich
from worker.adjudication.policy import Policies
from worker.adjudication.result import (
    Basis,
    Cause,
    Result,
    basis_of,
    line_decision,
    needed,
    outcome_of,
)
from worker.adjudication.rulebook import Rulebook, in_force, rulebook_documents
from worker.adjudication.service import Rank, Service

ENGINE = "0.1.0"
"""Version of the decision rules and of the result's encoding; raised when a result byte can change."""

RESULTS = UUID("6f0c7a52-3b51-5d0e-9c58-0f1f2c7f4a11")
"""Name space of result ids."""

NO_HISTORY = "sha256:" + sha256(b"[]").hexdigest()
"""Digest of an empty member history."""


class Reference:
    """What claims are decided by: policies and code sets, with what follows from them made once."""

    def __init__(self, policies: Policies, code_sets: CodeSets) -> None:
        self.policies = policies
        self.code_sets = code_sets
        parts = orjson.dumps([ENGINE, policies.digest, code_sets.digest])
        self.digest = "sha256:" + sha256(parts).hexdigest()
        """Digest of the rules, the policies and the code sets: equal digests decide alike."""
        self._by_day: dict[tuple[str, date], Rulebook] = {}
        self._by_versions: dict[tuple[object, ...], Rulebook] = {}
        self._bases: dict[tuple[tuple[Rulebook, int], ...], Basis] = {}

    def rulebook(self, payer_id: str, day: date) -> Rulebook:
        """The policies in force for a payer on a day of service."""
        necessity = self.policies.necessity_id(payer_id)
        key = (necessity, day)
        book = self._by_day.get(key)
        if book is None:
            book = self._rulebook(necessity, day)
            if len(self._by_day) >= 1 << 14:
                self._by_day.clear()
            self._by_day[key] = book
        return book

    def _rulebook(self, necessity: str, day: date) -> Rulebook:
        """One rulebook for all days with the same versions, so that what it remembers serves them all."""
        documents = rulebook_documents(self.policies, necessity)
        versions, absent = found = in_force(documents, day)
        key = (necessity, tuple(version.version for version in versions), absent)
        book = self._by_versions.get(key)
        if book is None:
            book = self._by_versions[key] = Rulebook(documents, found)
        return book

    def basis(self, in_force: Sequence[tuple[Rulebook, Tables]]) -> Basis:
        """What a claim is decided by, from what is in force on each of its days.

        Several versions or releases of a thing are joined by a plus.
        """
        key = tuple([(book, id(tables)) for book, tables in in_force])
        basis = self._bases.get(key)
        if basis is None:
            basis = basis_of(
                ENGINE,
                _joined(book.versions for book, _ in in_force),
                _joined(tables.releases for _, tables in in_force),
                self.digest,
                NO_HISTORY,
            )
            if len(self._bases) >= 1 << 14:
                self._bases.clear()
            self._bases[key] = basis
        return basis


class Ruled(NamedTuple):
    """A claim with every ruling on its lines, in line order: what a result is folded from."""

    event: Event
    claim: Claim
    services: list[Service]
    in_force: list[tuple[Rulebook, Tables]]
    """The policies and the tables of each day of service."""


def rule(event: Event, reference: Reference, *, traced: bool = False) -> Ruled | Rejected:
    """Rule on every line of the event's claim; the claim is judged alone, without history.

    ``traced`` keeps also the rules that a line passed and no result shows.
    """
    claim = event.data
    if not isinstance(claim, Claim) or claim.frequency_code != "1":
        asked = "original_claim_id" if isinstance(claim, Claim) else "claim_id"
        return Rejected("unknown_claim", f"$.{asked}", "no such claim is held")
    rank = Rank(claim.received_date, claim.claim_id)
    days: dict[date, list[Line]] = {}
    for line in claim.lines:
        days.setdefault(line.service_date, []).append(line)
    ruled: dict[int, Service] = {}
    in_force = []
    for day, lines in days.items():
        book, tables = reference.rulebook(claim.payer_id, day), reference.code_sets.on(day)
        in_force.append((book, tables))
        services = []
        for line in lines:
            service = ruled[line.line] = enrich(claim, line, rank, book, tables)
            service.traced = traced
            services.append(service)
        decide_day(services, day)
    return Ruled(event, claim, [ruled[line.line] for line in claim.lines], in_force)


def adjudicate(event: Event, reference: Reference) -> Result | Rejected:
    """Decide an event. The same event, policies and code sets give the same result."""
    ruled = rule(event, reference)
    return ruled if isinstance(ruled, Rejected) else _result(ruled, reference)


def _result(ruled: Ruled, reference: Reference) -> Result:
    event, claim, services, in_force = ruled
    basis = reference.basis(in_force)
    outcome = outcome_of(services)
    cause = Cause(event.source, event.id, event.type)
    revision = 1
    name = orjson.dumps(
        [claim.claim_id, revision, event.source, event.id, event.type, basis.digest, basis.history_digest]
    )
    return Result(
        result_id=_uuid5(name),
        claim_id=claim.claim_id,
        member_id=claim.member_id,
        revision=revision,
        supersedes=None,
        outcome=outcome,
        cause=cause,
        lines=tuple([line_decision(service) for service in services]),
        documentation_needed=needed(services) if outcome == "pend" else (),
        basis=basis,
        input_digest=event.digest,
    )


def _uuid5(name: bytes) -> str:
    """A UUIDv5 of the name in the name space of results (RFC 9562, 5.5), without ``uuid``'s overhead."""
    text = sha1(RESULTS.bytes + name, usedforsecurity=False).hexdigest()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def _joined(maps: Iterable[Mapping[str, str]]) -> Mapping[str, str]:
    """One map of several, the different values of a key joined in order."""
    found: dict[str, dict[str, None]] = {}
    for one in maps:
        for key, value in one.items():
            found.setdefault(key, {})[value] = None
    return {key: "+".join(sorted(found[key])) for key in sorted(found)}
