"""The rulings on a member's claims: every day of service is decided over all claims that meet on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from worker.adjudication.claim import Claim, Line
from worker.adjudication.codesets import Tables
from worker.adjudication.day import decide_day
from worker.adjudication.documentation import documented
from worker.adjudication.enrich import enrich
from worker.adjudication.expiry import decide_with_expiry
from worker.adjudication.held import EMPTY, Held, History, Standing
from worker.adjudication.kept import unpack
from worker.adjudication.redacted import redacted
from worker.adjudication.reference import Reference
from worker.adjudication.rulebook import Rulebook
from worker.adjudication.service import Rank, Service


@redacted
class Ruled(NamedTuple):
    """A claim with every ruling on its lines, in line order: what a result is folded from."""

    claim: Claim
    services: list[Service]
    in_force: list[tuple[Rulebook, Tables]]
    """The policies and the tables of each day of service."""


@redacted
class _Present(NamedTuple):
    """A claim that takes part in its days: with all its records, and its place among the others."""

    claim: Claim
    rank: Rank
    is_expired: bool


@redacted
class _Served(NamedTuple):
    """A line, with the claim that it is of."""

    by: _Present
    line: Line


def rule_alone(claim: Claim, reference: Reference, *, traced: bool = False) -> Ruled:
    """The rulings on a claim beside which there is no other.

    ``traced`` keeps also the rules that a line passed and no result shows.
    """
    rank = Rank(claim.received_date, claim.claim_id)
    in_force: dict[date, tuple[Rulebook, Tables]] = {}
    services = []
    for line in claim.lines:
        day = line.service_date
        found = in_force.get(day)
        if found is None:
            found = in_force[day] = (reference.rulebook(claim.payer_id, day), reference.code_sets.on(day))
        service = enrich(claim, line, rank, *found)
        service.traced = traced
        services.append(service)
    if len(in_force) == 1:
        decide_day(services.copy(), day)  # which sorts what it is given
    else:
        for day in in_force:
            decide_day([service for service in services if service.line.service_date == day], day)
    return Ruled(claim, services, list(in_force.values()))


class Member:
    """The claims of one member as they stand in a history, each with its records.

    ``fresh`` is the claim that an event brings. ``before`` is the history in which a claim still had its
    content that the event leaves unheld.
    """

    def __init__(self, history: History, fresh: Claim | None = None, before: History | None = None) -> None:
        self._held = {held.claim_id: held for held in history.claims}
        self._fresh = fresh
        self._before = before

    def rule(
        self,
        claim_ids: Sequence[str],
        reference: Reference,
        days: frozenset[int] | None = None,
        *,
        traced: bool = False,
    ) -> dict[str, Ruled]:
        """The rulings on some claims in force: on all of their lines, or on those of ``days`` (ordinals)."""
        wanted = days or frozenset([day for claim_id in claim_ids for day in self._held[claim_id].dates])
        meeting = [held for held in self._held.values() if held.is_open and not wanted.isdisjoint(held.dates)]
        if len(meeting) == 1 and _decides_alone(meeting[0], wanted):
            (only,) = meeting
            return {only.claim_id: rule_alone(self._claim(only), reference, traced=traced)}
        unheld = {day for held in meeting if held.standing is Standing.UNHELD for day in held.dates}
        present = [
            self._present(held)
            for held in meeting
            if held.standing is Standing.STANDS or held.claim_id in claim_ids
        ]
        served = _by_day(present)
        ruled: dict[tuple[str, int], Service] = {}
        for ordinal in sorted(wanted):
            day = date.fromordinal(ordinal)
            for service in _decided(served.get(day, ()), day, ordinal in unheld, reference, traced=traced):
                ruled[service.claim.claim_id, service.line.line] = service
        return {
            one.claim.claim_id: _ruled(one.claim, ruled) for one in present if one.claim.claim_id in claim_ids
        }

    def _present(self, held: Held) -> _Present:
        received, claim_id = held.place
        rank = Rank(date.fromordinal(received), claim_id, "" if held.inherited is None else held.claim_id)
        return _Present(self._claim(held), rank, held.is_expired)

    def _claim(self, held: Held) -> Claim:
        """The claim with all its records."""
        if self._fresh is not None and held.claim_id == self._fresh.claim_id:
            return self._fresh
        return documented(unpack(held.body or self._body_before(held.claim_id)), held.records)

    def _body_before(self, claim_id: str) -> bytes:
        return next(held.body for held in (self._before or EMPTY).claims if held.claim_id == claim_id)


def _decides_alone(held: Held, wanted: frozenset[int]) -> bool:
    """Whether a claim that meets no other on these days is to be ruled on as if there were no other."""
    return held.standing is Standing.STANDS and not held.is_expired and wanted.issuperset(held.dates)


def _by_day(present: Sequence[_Present]) -> dict[date, list[_Served]]:
    """The lines of some claims by their day: a member may have many days, and each claim lines on each."""
    found: dict[date, list[_Served]] = {}
    for one in present:
        for line in one.claim.lines:
            found.setdefault(line.service_date, []).append(_Served(one, line))
    return found


def _decided(
    served: Sequence[_Served], day: date, is_blocked: bool, reference: Reference, *, traced: bool
) -> Iterable[Service]:
    """The lines of a day, decided. A day on which a claim is not held cannot be: all of it pends."""

    def draw() -> list[Service]:
        return _drawn(served, day, reference, traced=traced)

    if is_blocked:
        return [_pended_for_room(service) for service in draw()]
    expired = frozenset(one.claim.claim_id for one, _ in served if one.is_expired)
    if expired:
        return decide_with_expiry(draw, day, expired)
    services = draw()
    decide_day(services, day)
    return services


def _drawn(served: Sequence[_Served], day: date, reference: Reference, *, traced: bool) -> list[Service]:
    """The lines of a day, before any ruling."""
    tables = reference.code_sets.on(day)
    services = []
    books: dict[str, Rulebook] = {}
    for (claim, rank, _), line in served:
        book = books.get(claim.payer_id)
        if book is None:
            book = books[claim.payer_id] = reference.rulebook(claim.payer_id, day)
        service = enrich(claim, line, rank, book, tables)
        service.traced = traced
        services.append(service)
    return services


def _pended_for_room(service: Service) -> Service:
    """Which lines are under review is not known either, so every one is."""
    service.reviewed = True
    reason = "A claim of that day is not held, for want of room in the member's history."
    service.record_ruling(service.book.pended("history.capacity", reason))
    return service


def _ruled(claim: Claim, ruled: dict[tuple[str, int], Service]) -> Ruled:
    services = [
        ruled[claim.claim_id, line.line] for line in claim.lines if (claim.claim_id, line.line) in ruled
    ]
    in_force = {service.line.service_date: (service.book, service.tables) for service in services}
    return Ruled(claim, services, list(in_force.values()))
