"""When the time for records has run out: what still waits for them is denied (policy §6, "Expiry")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from typing import TypeAlias

from worker.adjudication.day import MOHS_ORDER, decide_day
from worker.adjudication.service import Service

Key: TypeAlias = tuple[str, int]
"""A line of a day: claim id and line number."""


def decide_with_expiry(
    draw: Callable[[], list[Service]], day: date, expired: AbstractSet[str]
) -> list[Service]:
    """Rule on a day's lines, of which those of ``expired`` claims wait for records no longer.

    A line that ends as a pend with needed facts is denied, and the day is decided again with that line
    denied from the start, until no other line lapses. Lines lapse in the order of decision: one that hangs
    on another is asked again before it may lapse itself.
    """
    lapsed: dict[Key, tuple[str, ...]] = {}
    while True:
        services = draw()
        for service in services:
            if _key(service) in lapsed:
                _lapse(service, lapsed[_key(service)])
        decide_day(services, day)
        waiting = [
            service
            for service in services
            if service.claim.claim_id in expired and service.status == "pend" and service.needed_facts()
        ]
        if not waiting:
            return services
        lapsed.update((_key(service), service.needed_facts()) for service in _first(waiting))


def _key(service: Service) -> Key:
    return service.claim.claim_id, service.line.line


def _lapse(service: Service, facts: tuple[str, ...]) -> None:
    reason = "The records that could settle it have not come in time."
    service.record_ruling(service.book.denied("documentation.expired", reason, (("facts", facts),)))


def _first(waiting: Sequence[Service]) -> Sequence[Service]:
    """Those that are decided first, and of them none that is an add-on to another."""
    turn = min(map(_turn, waiting))
    next_ = [service for service in waiting if _turn(service) == turn]
    codes = {service.procedure for service in next_}
    free = [service for service in next_ if _primaries(service).isdisjoint(codes - {service.procedure})]
    return free or next_


def _turn(service: Service) -> int:
    return MOHS_ORDER.index(service.role) if service.is_mohs else len(MOHS_ORDER)


def _primaries(service: Service) -> frozenset[str]:
    add_on = None if service.is_mohs else service.tables.add_ons.get(service.procedure)
    return frozenset() if add_on is None else add_on.primaries
