"""All lines of a member's day, decided together in the one order there is (policy §5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from operator import attrgetter

from worker.adjudication import bundling, edits, necessity, structure
from worker.adjudication.claim import Claim
from worker.adjudication.service import Service

MOHS_ORDER = ("first_stage", "additional_stage", "additional_block")


def decide_day(services: list[Service], day: date) -> None:
    """Rule on every line of a member's day of service, across claims.

    Sorts ``services`` into the order of competition and leaves the rulings on them. Each claim is one object
    and has a rank of its own.
    """
    services.sort(key=attrgetter("order"))
    alone = not services or services[0].claim is services[-1].claim
    if alone:
        _relate(services, services)
    else:
        _relate_claims(services)
    pairs = edits.pairs_of(services, day) if len(services) > 1 else []
    _mark_reviewed(services, pairs)
    mohs: dict[str, list[Service]] = {}
    others = []
    for service in services:
        if not service.reviewed or _lacks_policy(service):
            continue
        if service.is_mohs:
            necessity.rule_on_validity(service)
            mohs.setdefault(service.role, []).append(service)
        else:
            others.append(service)
    if not alone:
        edits.rule_on_duplicates(service for group in (*mohs.values(), others) for service in group)
    for role in MOHS_ORDER:
        if role in mohs:
            _decide_mohs(mohs[role], pairs)
    if others:
        _decide_others(others, pairs)
    for service in services:
        service.related = ()  # no circle is left for the garbage collector


def _relate_claims(services: Sequence[Service]) -> None:
    """Tell each line which others it meets: those of its own claim, and of claims related to that."""
    of_claim: dict[str, list[Service]] = {}
    for service in services:
        of_claim.setdefault(service.claim.claim_id, []).append(service)
    for lines in of_claim.values():
        claim = lines[0].claim
        related = {name for name, others in of_claim.items() if _related(claim, others[0].claim)}
        _relate(lines, [service for service in services if service.claim.claim_id in related])


def _relate(lines: Sequence[Service], related: Sequence[Service]) -> None:
    claims = frozenset([service.claim.claim_id for service in related])
    for service in lines:
        service.related = related
        service.related_claims = claims


def _related(mine: Claim, theirs: Claim) -> bool:
    if mine is theirs:
        return True
    tin = mine.billing_provider.tin
    if tin is not None and tin == theirs.billing_provider.tin:
        return True
    return (
        mine.rendering_provider is not None
        and theirs.rendering_provider is not None
        and mine.rendering_provider.npi == theirs.rendering_provider.npi
    )


def _mark_reviewed(services: Sequence[Service], pairs: Sequence[edits.Pair]) -> None:
    """A line that no policy names is under review when it stands in a pair or exceeds its units."""
    for pair in pairs:
        pair.column_1.reviewed = pair.column_2.reviewed = True
    for service in services:
        service.reviewed = service.reviewed or edits.exceeds_units(service)


def _lacks_policy(service: Service) -> bool:
    """Without a policy in force a line pends, and nothing else is asked."""
    book = service.book
    if not book.absent:
        return False
    reason = "No version of the policy is in force on the date of service."
    evidence = (("policies", book.absent),)
    service.record_ruling(book.pended("policy.not-in-force", reason, evidence))
    return True


def _decide_mohs(group: Sequence[Service], pairs: Sequence[edits.Pair]) -> None:
    for service in group:
        necessity.rule_on_necessity(service)
        structure.rule_on_component(service)
        structure.rule_on_site(service)
    role = group[0].role
    if role == "first_stage":
        structure.rule_on_first_stages(group)
    else:
        for service in group:
            structure.rule_on_parent(service, structure.mohs_primaries(service))
        if role == "additional_stage":
            structure.rule_on_documented_stages(group)
        else:
            structure.rule_on_documented_blocks(group)
    edits.rule_on_pairs(group, pairs)
    edits.rule_on_units(group)


def _decide_others(asked: Sequence[Service], pairs: Sequence[edits.Pair]) -> None:
    for service in asked:
        bundling.rule_on_bundle(service)
    edits.rule_on_pairs(asked, pairs)
    edits.rule_on_units(asked)
    for service in _parents_first(asked):
        add_on = service.tables.add_ons[service.procedure]
        if add_on.deniable:
            structure.rule_on_parent(service, add_on.primaries)


def _parents_first(group: Sequence[Service]) -> list[Service]:
    """The add-on lines, those that others add to before the others; a table with a circle still ends."""
    add_ons = [service for service in group if service.procedure in service.tables.add_ons]
    if not add_ons:
        return add_ons
    present = {service.procedure for service in add_ons}
    depth: dict[str, int] = dict.fromkeys(present, 0)
    for _ in present:
        for service in add_ons:
            above = service.tables.add_ons[service.procedure].primaries & present - {service.procedure}
            depth[service.procedure] = max((depth[code] + 1 for code in above), default=0)
    return sorted(add_ons, key=lambda service: depth[service.procedure])
