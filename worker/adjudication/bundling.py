"""What belongs to the Mohs service and what is paid beside it (policy §4, from the medical policy)."""

from __future__ import annotations

from typing import Literal, TypeAlias

from worker.adjudication.service import Service

Standing: TypeAlias = Literal["same", "documented", "undocumented"]
"""The lesion of a biopsy or pathology line, seen from one Mohs line: its own, or another one."""


def rule_on_bundle(service: Service) -> None:
    """Repairs stand beside Mohs surgery; biopsies and pathology only for another, documented lesion."""
    if not service.is_asked:
        return
    mohs = [other for other in service.related if other.is_mohs]
    asked = [other for other in mohs if other.status != "deny"]
    if not asked:
        return
    if service.role == "repair":
        reason = "A repair, flap or graft after Mohs surgery is paid beside it."
        evidence = service.reference(asked[0])
        service.record_ruling(service.book.satisfied("bundling.repair", reason, evidence))
    elif service.role == "biopsy":
        _rule_beside_mohs(service, mohs, asked, service.book.biopsy_modifiers, "bundling.biopsy")
    elif service.role == "pathology":
        passing = service.tables.bypass_modifiers - service.book.em_only_modifiers
        _rule_beside_mohs(service, mohs, asked, passing, "bundling.pathology")


def _rule_beside_mohs(
    service: Service, mohs: list[Service], asked: list[Service], passing: frozenset[str], rule: str
) -> None:
    """Ask each Mohs line by itself; a denial by a paid one comes before any pend."""
    book = service.book
    modified = not service.modifiers.isdisjoint(passing)
    documented = _documented_elsewhere(service, mohs)
    standings = [(other, _standing(service, other, modified, documented)) for other in asked]
    against = [(other, seen) for other, seen in standings if seen != "documented"]
    if not against:
        reason = "It is for another lesion, which the records show and the modifier tells apart."
        service.record_ruling(book.satisfied(rule, reason, service.reference(asked[0])))
        return
    denying = next((other for other, seen in against if seen == "same" and other.status == "pay"), None)
    if denying is not None:
        same = modified or (service.lesion is not None and service.lesion == denying.lesion)
        reason = (
            "It belongs to the Mohs service of the same lesion."
            if same
            else "It belongs to the Mohs service: no modifier says that it is for another lesion."
        )
        service.record_ruling(book.denied(rule, reason, service.reference(denying)))
        return
    # Records of the other lesion settle it whichever way that Mohs line ends, so they are asked for.
    lacking = next((other for other, seen in against if seen == "undocumented"), None)
    if lacking is not None:
        reason = "The modifier says that it is for another lesion, and the records do not show one."
        service.record_ruling(book.pended(rule, reason, service.reference(lacking), ("site",)))
    waiting = next((other for other, seen in against if seen == "same"), None)
    if waiting is not None:
        reason = "Whether it belongs to the Mohs service depends on a line that is not decided yet."
        service.record_ruling(book.pended(rule, reason, service.reference(waiting)))


def _documented_elsewhere(service: Service, mohs: list[Service]) -> bool:
    """Whether the records show, with its site, the lesion that the line is for.

    A line without a lesion counts as another, documented one when its claim's records list a lesion, with
    a site, that no related Mohs line names; denied ones name too.
    """
    if service.lesion is not None:
        return service.record is not None and service.record.site is not None
    documentation = service.claim.documentation
    if documentation is None or not documentation.lesions:
        return False
    named = {other.lesion for other in mohs}
    return any(one.site is not None and one.lesion not in named for one in documentation.lesions)


def _standing(service: Service, mohs: Service, modified: bool, documented: bool) -> Standing:
    if not modified or mohs.lesion_kind == "any":
        return "same"
    if service.lesion is not None and service.lesion == mohs.lesion:
        return "same"
    return "documented" if documented else "undocumented"
