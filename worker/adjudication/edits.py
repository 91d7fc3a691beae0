"""Edits across the lines of a day: duplicates, procedure pairs, units a day (policy §4, from NCCI)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from worker.adjudication.codesets import Mue
from worker.adjudication.service import Service, Status

OWN_RULES = frozenset({"biopsy", "pathology", "repair"})
"""Beside a Mohs line these follow the medical policy, not the pair table."""


class Pair(NamedTuple):
    """An edit that applies to two lines of the day; ``bypassed`` when a modifier lets both stand."""

    column_1: Service
    column_2: Service
    bypassed: bool


def pairs_of(services: Sequence[Service], day: date) -> list[Pair]:
    """Every procedure-to-procedure edit between related lines, as billed, in the order of column 1."""
    found = []
    met: dict[int, dict[str, list[Service]]] = {}
    for first in services:
        table = first.tables.pairs
        codes = table.second_codes(first.procedure)
        if not codes:
            continue
        by_code = met.get(id(first.related))
        if by_code is None:
            by_code = met[id(first.related)] = _by_code(first.related)
        for code, others in by_code.items():
            indicator = table.indicator(first.procedure, code, day) if code in codes else None
            if indicator is None:
                continue
            for second in others:
                if second is not first and not _follows_medical_policy(first, second):
                    bypassed = indicator == 1 and (_has_bypass(first) or _has_bypass(second))
                    found.append(Pair(first, second, bypassed))
    return found


def _by_code(services: Sequence[Service]) -> dict[str, list[Service]]:
    found: dict[str, list[Service]] = {}
    for service in services:
        found.setdefault(service.procedure, []).append(service)
    return found


def _follows_medical_policy(first: Service, second: Service) -> bool:
    return (first.is_mohs and second.role in OWN_RULES) or (second.is_mohs and first.role in OWN_RULES)


def _has_bypass(service: Service) -> bool:
    used = service.modifiers & service.tables.bypass_modifiers
    if used and not service.book.is_em(service.procedure):
        used -= service.book.em_only_modifiers
    return bool(used)


def rule_on_duplicates(services: Iterable[Service]) -> None:
    """The same line on an earlier related claim, whatever became of it, makes this one a duplicate."""
    for service in services:
        for other in service.related:
            if _same(service, other) and other.claim is not service.claim and other.rank < service.rank:
                reason = "An earlier claim bills the same service for the same day and lesion."
                ruling = service.book.denied("ncci.duplicate", reason, service.reference(other))
                service.record_ruling(ruling)
                break


def _same(one: Service, other: Service) -> bool:
    return (
        one.procedure == other.procedure
        and one.line.units == other.line.units
        and one.modifiers == other.modifiers
        and one.line.lesion == other.line.lesion
    )


def rule_on_pairs(group: Sequence[Service], pairs: Sequence[Pair]) -> None:
    """Column 2 is not paid beside column 1 unless a modifier bypasses; all of a group at once."""
    if not pairs:
        return
    stood: dict[int, Status] = {id(pair.column_1): pair.column_1.status for pair in pairs}
    standing: dict[int, list[Pair]] = {}
    for pair in pairs:
        if stood[id(pair.column_1)] != "deny":
            standing.setdefault(id(pair.column_2), []).append(pair)
    for service in group:
        against = standing.get(id(service))
        if against and service.is_asked:
            _rule_on_column_2(service, against, stood)


def _rule_on_column_2(service: Service, against: Sequence[Pair], stood: dict[int, Status]) -> None:
    book = service.book
    binding = [pair.column_1 for pair in against if not pair.bypassed]
    paid = next((other for other in binding if stood[id(other)] == "pay"), None)
    if paid is not None:
        reason = "It is not paid on the day of the other service without a modifier that sets it apart."
        service.record_ruling(book.denied("ncci.pair", reason, service.reference(paid)))
    elif binding:
        reason = "It is not paid beside another service of the day, and that one is not decided yet."
        service.record_ruling(book.pended("ncci.pair", reason, service.reference(binding[0])))
    else:
        reason = "A modifier sets it apart from the other service of the day."
        evidence = service.reference(against[0].column_1)
        service.record_ruling(book.satisfied("ncci.pair", reason, evidence))


def exceeds_units(service: Service) -> bool:
    """Whether the billed units of this and related earlier claims are over the limit, before any denial."""
    mue = service.tables.mue.get(service.procedure)
    if mue is None:
        return False
    if mue.mai == 1:
        return service.line.units > mue.value
    billed = sum(
        other.line.units
        for other in service.related
        if other.procedure == service.procedure
        and (other.claim is service.claim or other.rank < service.rank)
    )
    return billed > mue.value


def rule_on_units(group: Sequence[Service]) -> None:
    """Units a day stay within the medically unlikely edit; claim after claim, in the order of competition."""
    of_claim: list[tuple[Service, Mue, tuple[int, int]]] = []
    for service in group:
        if of_claim and of_claim[-1][0].rank != service.rank:
            _rule_on_sums(of_claim)
            of_claim = []
        mue = service.tables.mue.get(service.procedure)
        if mue is not None and service.is_asked:
            of_claim.append((service, mue, _units_of_day(service, mue)))
    _rule_on_sums(of_claim)


def _units_of_day(service: Service, mue: Mue) -> tuple[int, int]:
    """Fewest and most units that count: own billed ones, the claim's, and those earlier claims keep."""
    least = most = service.line.units
    if mue.mai == 1:
        return least, most
    for other in service.related:
        if other is service or other.procedure != service.procedure or other.status == "deny":
            continue
        if other.claim is service.claim:
            least += 0 if other.status == "pend" else other.line.units
            most += other.line.units
        elif other.rank < service.rank:
            fewest, units = other.kept_units()
            least += fewest
            most += units
    return least, most


def _rule_on_sums(sums: Sequence[tuple[Service, Mue, tuple[int, int]]]) -> None:
    """Rule on a claim's lines as they stood before: none on what becomes of the others here."""
    for service, mue, (least, most) in sums:
        book = service.book
        counted = least if least > mue.value else most
        evidence = (("units_counted", counted), ("units_a_day", mue.value), ("mai", mue.mai))
        if least > mue.value:
            reason = "More units than are plausible for one patient and day."
            service.record_ruling(book.denied("ncci.units-per-day", reason, evidence))
        elif most > mue.value:
            reason = "Whether the units of the day are plausible depends on a line that is not decided yet."
            service.record_ruling(book.pended("ncci.units-per-day", reason, evidence))
        else:
            service.note("ncci.units-per-day", "The units are plausible for one patient and day.", evidence)
