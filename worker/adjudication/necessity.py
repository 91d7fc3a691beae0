"""Medical necessity of a Mohs line: its diagnosis, then any one indication (policy §§1 and 2)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from worker.adjudication.facts import (
    Facts,
    Truth,
    any_of,
    evidence_of,
    fact_of,
    facts_asked,
    source_of,
    truth_of,
)
from worker.adjudication.finding import Evidence, Finding, Ruling, Verdict, find
from worker.adjudication.policy import Indication
from worker.adjudication.rulebook import Rulebook
from worker.adjudication.service import Service

VERDICTS: dict[Truth, Verdict] = {True: "met", False: "not_met", None: "unknown"}


class Assessment(NamedTuple):
    """What the indications say of one set of facts."""

    ruling: Ruling
    """Of the policy as a whole: necessary, not necessary, or undetermined with the facts it needs."""
    indications: tuple[Finding, ...]
    """One finding an indication, in the policy's order."""


def rule_on_validity(service: Service) -> None:
    """The line's diagnosis exists on the service date and may be billed."""
    evidence: Evidence = (("diagnosis", service.diagnosis),)
    billable = service.tables.icd10cm.get(service.diagnosis)
    if billable is None:
        reason = "The diagnosis is not an ICD-10-CM code on the date of service."
        service.record_ruling(service.book.denied("necessity.diagnosis-known", reason, evidence))
    elif not billable:
        reason = "The diagnosis is a category header; the claim needs a code of full length under it."
        service.record_ruling(service.book.denied("necessity.diagnosis-billable", reason, evidence))


def rule_on_necessity(service: Service) -> None:
    """The diagnosis is on the policy's list, the records do not contradict it, and an indication is met."""
    book, facts = service.book, service.facts
    if service.procedure not in book.necessity.procedures or facts is None:
        return
    if service.diagnosis not in service.tables.policy_diagnoses:
        reason = "The diagnosis is not one that the policy covers Mohs surgery for."
        evidence: Evidence = (("diagnosis", service.diagnosis),)
        service.record_ruling(book.denied("necessity.diagnosis-listed", reason, evidence))
        return
    if not facts.sites:
        reason = "The documented site is not one that the diagnosis can have."
        documented = service.record.site if service.record else None
        evidence = (("diagnosis", service.diagnosis), ("documented_site", documented))
        service.record_ruling(book.pended("documentation.conflict", reason, evidence, ("site",)))
    assessment = assess(book, facts)
    service.indications = assessment.indications
    service.record_ruling(assessment.ruling)


@lru_cache(maxsize=1 << 16)
def assess(book: Rulebook, facts: Facts) -> Assessment:
    """Ask every indication of the payer's policy. Any met suffices; unknown is never false."""
    indications = book.necessity.indications
    truths = [any_of(truth_of(criterion, facts) for criterion in one.any_of) for one in indications]
    findings = tuple(
        _finding(book, one, truth, facts) for one, truth in zip(indications, truths, strict=True)
    )
    truth = any_of(truths)
    asked: Evidence = tuple((fact, evidence_of(fact, facts)) for fact in facts_asked(indications))
    if truth:
        return Assessment(book.satisfied("necessity.indications", "An indication is met."), findings)
    if truth is False:
        reason = "None of the policy's indications is met by the facts on record."
        return Assessment(book.denied("necessity.indications", reason, asked), findings)
    needed = tuple(
        dict.fromkeys(
            fact
            for one, known in zip(indications, truths, strict=True)
            if known is None
            for fact in _unknown_facts(one, facts)
        )
    )
    reason = "No indication is met yet, and facts are missing of which any one could meet one."
    return Assessment(book.pended("necessity.indications", reason, asked, needed), findings)


def _unknown_facts(indication: Indication, facts: Facts) -> list[str]:
    return [fact_of(item) for item in indication.any_of if truth_of(item, facts) is None]


def _finding(book: Rulebook, indication: Indication, truth: Truth, facts: Facts) -> Finding:
    """The finding of one indication, with the facts that made it so."""
    shown = [item for item in indication.any_of if truth_of(item, facts) is truth]
    evidence = [(fact, evidence_of(fact, facts)) for fact in dict.fromkeys(map(fact_of, shown))]
    if truth is not None and shown:
        evidence.append(("from", source_of(fact_of(shown[0]), facts)))
    rule = f"necessity.{indication.id}"
    reason = f"{indication.summary}: {_SAYS[truth]}."
    return find(rule, book.text(rule), VERDICTS[truth], tuple(evidence), reason)


_SAYS: dict[Truth, str] = {True: "yes", False: "no", None: "not known"}
