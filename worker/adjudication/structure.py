"""How stages and blocks are coded: site and code, lesions, parents, documented units (policy §3).

Every rule appends rulings to services. A group is in the order of competition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from worker.adjudication.claim import Lesion
from worker.adjudication.enrich import distinct
from worker.adjudication.facts import among
from worker.adjudication.finding import Evidence
from worker.adjudication.service import Service

FITS = "The code fits the site."


def rule_on_component(service: Service) -> None:
    """26 and TC split a service that one Mohs surgeon does whole."""
    book = service.book
    used = service.modifiers & book.component_modifiers
    if used:
        reason = "A Mohs stage has no professional or technical part that is billed by itself."
        evidence = (("modifiers", tuple(sorted(used))),)
        service.record_ruling(book.denied("structure.component-modifier", reason, evidence))


def rule_on_site(service: Service) -> None:
    """17311/17312 belong to the central sites or to deep involvement, 17313/17314 to the peripheral ones."""
    book = service.book
    if service.facts is None:
        return
    sites = service.facts.sites
    central = among(sites, book.central_sites)
    if service.procedure in book.structure.peripheral_procedures:
        _rule_on_peripheral_code(service, central, _site_evidence(sites))
    elif service.procedure in book.structure.central_procedures:
        if central:
            service.note("structure.site-code", FITS)
        else:
            _rule_on_central_code(service, _site_evidence(sites))


def _site_evidence(sites: frozenset[str]) -> Evidence:
    shown = next(iter(sites)) if len(sites) == 1 else tuple(sorted(sites)) or None
    return (("site", shown),)


def _rule_on_peripheral_code(service: Service, central: bool | None, evidence: Evidence) -> None:
    book = service.book
    if service.facts is not None and among(service.facts.sites, book.peripheral_sites):
        service.note("structure.site-code", FITS, evidence)
    elif central:
        reason = "The site belongs to the codes for head, neck, hands, feet and genitalia."
        service.record_ruling(book.denied("structure.site-code", reason, evidence))
    else:
        reason = "Whether the code fits depends on a site that is not known."
        service.record_ruling(book.pended("structure.site-code", reason, evidence, ("site",)))


def _rule_on_central_code(service: Service, evidence: Evidence) -> None:
    """17311/17312 where the site is not surely central."""
    book = service.book
    involved = distinct(service.record.direct_involvement) if service.record else None
    peripheral = service.facts is not None and among(service.facts.sites, book.peripheral_sites)
    shown = (*evidence, ("direct_involvement", involved))
    if involved:
        reason = "The surgery directly involved a deep structure, so the code fits any site."
        service.note("structure.site-code", reason, shown)
        return
    if not peripheral:
        reason = "Whether the code fits depends on a site or an involvement that is not known."
        ruling = book.pended("structure.site-code", reason, shown, ("site", "direct_involvement"))
    elif involved is None:
        reason = "At this site the code needs a deep structure involved, and the records do not say."
        ruling = book.pended("structure.site-code", reason, shown, ("direct_involvement",))
    else:
        reason = "At this site the code needs a deep structure involved, and the records say none was."
        ruling = book.denied("structure.site-code", reason, shown)
    service.record_ruling(ruling)


def rule_on_parent(service: Service, primaries: frozenset[str]) -> None:
    """An add-on stands on a related line of its primary, of the same lesion when both name one."""
    book = service.book
    if not service.is_asked:
        return
    parents = [
        other
        for other in service.related
        if other.procedure in primaries
        and other is not service
        and (service.lesion is None or other.lesion is None or other.lesion == service.lesion)
    ]
    standing = {parent.status: parent for parent in reversed(parents)}
    if "pay" in standing:
        evidence = service.reference(standing["pay"])
        service.note("structure.parent", "The service that it adds to is paid.", evidence)
    elif "pend" in standing:
        evidence = service.reference(standing["pend"])
        reason = "The service that it adds to is not decided yet."
        service.record_ruling(book.pended("structure.parent", reason, evidence))
    elif parents:
        evidence = service.reference(parents[0])
        reason = "The service that it adds to is denied."
        service.record_ruling(book.denied("structure.parent-denied", reason, evidence))
    else:
        evidence = (("primaries", tuple(sorted(primaries))),)
        reason = "No service that it could add to was billed for that day and lesion."
        service.record_ruling(book.denied("structure.parent-absent", reason, evidence))


def mohs_primaries(service: Service) -> frozenset[str]:
    """The codes that a Mohs add-on belongs to: its first stage, or for blocks any stage."""
    if service.role == "additional_block":
        return service.book.stages
    return frozenset((service.book.structure.additional_stages[service.procedure],))


def rule_on_first_stages(group: Sequence[Service]) -> None:
    """One first stage a lesion; a second one of the same code says by its modifier that it is another."""
    if len(group) > 1:
        _rule_on_same_lesion(group)
        _rule_on_distinct_lesions(group)
    for service in _asked(group):
        if service.lesion is not None and service.units > 1:
            evidence = (("units_billed", service.units), ("units_allowed", 1))
            reason = "A lesion has one first stage."
            service.limit(1, service.book.limited("structure.first-stage-units", reason, evidence))


def _rule_on_same_lesion(group: Sequence[Service]) -> None:
    for service in _asked(group):
        earlier = [
            other
            for other in _earlier(service, group)
            if service.lesion is not None and other.lesion == service.lesion
        ]
        reason = "The first stage of this lesion is billed already."
        _yield_to(service, earlier, "structure.same-lesion", reason)


def _rule_on_distinct_lesions(group: Sequence[Service]) -> None:
    for service in _asked(group):
        if not service.modifiers.isdisjoint(service.book.distinct_modifiers):
            continue
        earlier = [
            other
            for other in _earlier(service, group)
            if other.procedure == service.procedure
            and (service.lesion is None or other.lesion != service.lesion)
        ]
        reason = "A second first stage with the same code needs a modifier that tells the lesions apart."
        _yield_to(service, earlier, "structure.distinct-lesion-modifier", reason)


def _yield_to(service: Service, earlier: Sequence[Service], rule: str, reason: str) -> None:
    """Deny for an earlier line that is paid; pend for one that is itself undecided."""
    paid = next((other for other in earlier if other.status == "pay"), None)
    if paid is not None:
        service.record_ruling(service.book.denied(rule, reason, service.reference(paid)))
    elif earlier:
        waiting = "It depends on an earlier first stage that is not decided yet."
        service.record_ruling(service.book.pended(rule, waiting, service.reference(earlier[0])))


def _asked(group: Iterable[Service]) -> list[Service]:
    return [service for service in group if service.is_asked]


def _earlier(service: Service, group: Sequence[Service]) -> Iterable[Service]:
    """The related lines of the group that keep their place before the line, those denied left out."""
    related = service.related_claims
    for other in group:
        if other is service:
            return
        if other.status != "deny" and other.claim.claim_id in related:
            yield other


def rule_on_documented_stages(group: Sequence[Service]) -> None:
    """Additional stages stay within the stages on record, less the first."""
    _rule_on_documented(group, _additional_stages, "structure.documented-stages")


def rule_on_documented_blocks(group: Sequence[Service]) -> None:
    """Additional blocks stay within the blocks on record above those that each stage includes."""
    _rule_on_documented(group, _additional_blocks, "structure.documented-blocks")


def _additional_stages(record: Lesion, _: int) -> int | None:
    return None if record.stages is None else max(0, len(record.stages) - 1)


def _additional_blocks(record: Lesion, included: int) -> int | None:
    if record.stages is None:
        return None
    total = 0
    for stage in record.stages:
        if stage.blocks is None:
            return None
        total += max(0, stage.blocks - included)
    return total


def _rule_on_documented(
    group: Sequence[Service], count: Callable[[Lesion, int], int | None], rule: str
) -> None:
    for service in _asked(group):
        if service.record is None:
            continue
        documented = count(service.record, service.book.structure.blocks_included)
        if documented is None:
            continue
        kept = [other.kept_units() for other in _earlier(service, group) if other.lesion == service.lesion]
        least = documented - sum(most for _, most in kept)
        most = documented - sum(fewest for fewest, _ in kept)
        _allow(service, max(0, least), max(0, most), documented, rule)


def _allow(service: Service, least: int, most: int, documented: int, rule: str) -> None:
    """Allow what the records leave, when that is the same whichever way undecided lines end."""
    book, billed = service.book, service.units
    evidence = (("units_billed", billed), ("units_documented", documented), ("units_left", most))
    if min(billed, least) != min(billed, most):
        reason = "How many units are left depends on another line that is not decided yet."
        service.limit(min(billed, most), book.pended(rule, reason, evidence))
    elif most == 0:
        reason = "The records leave no unit for this line."
        service.record_ruling(book.denied(rule, reason, evidence))
    elif billed > most:
        reason = "More units are billed than the records leave."
        service.limit(most, book.limited(rule, reason, evidence))
    else:
        service.note(rule, "The records bear out the units.", evidence)
