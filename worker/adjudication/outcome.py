"""Rulings to decision: the only place where precedence lives."""

from __future__ import annotations

from collections.abc import Sequence

from worker.adjudication.finding import Finding, Ruling
from worker.adjudication.policy import Adjustment
from worker.adjudication.result import LineDecision, Needed, Outcome
from worker.adjudication.service import Service


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
