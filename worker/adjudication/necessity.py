"""Medical necessity of a Mohs line: its diagnosis, then any one indication (policy §§1 and 2)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from worker.adjudication.claim import ANY_SITE
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


class Judged(NamedTuple):
    """One indication on one set of facts: whether it is met, its finding, the facts it lacks."""

    met: Truth
    finding: Finding
    unknown: tuple[str, ...]


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
    judged = [_judge(book, one, _facts_for(one, facts)) for one in book.necessity.indications]
    findings = tuple([finding for _, finding, _ in judged])
    truth = any_of([met for met, _, _ in judged])
    if truth:
        return Assessment(book.satisfied("necessity.indications", "An indication is met."), findings)
    asked = tuple((fact, evidence_of(fact, facts)) for fact in facts_asked(book.necessity.indications))
    if truth is False:
        reason = "None of the policy's indications is met by the facts on record."
        return Assessment(book.denied("necessity.indications", reason, asked), findings)
    needed = tuple(dict.fromkeys(fact for _, _, unknown in judged for fact in unknown))
    reason = "No indication is met yet, and facts are missing of which any one could meet one."
    return Assessment(book.pended("necessity.indications", reason, asked, needed), findings)


@lru_cache(maxsize=1 << 16)
def _judge(book: Rulebook, indication: Indication, facts: Facts) -> Judged:
    """One indication, on the facts that it looks at."""
    truths = [(criterion, truth_of(criterion, facts)) for criterion in indication.any_of]
    met = any_of(truth for _, truth in truths)
    shown = [fact_of(criterion) for criterion, truth in truths if truth is met]
    evidence = [(fact, evidence_of(fact, facts)) for fact in dict.fromkeys(shown)]
    if met is not None:
        evidence.append(("from", source_of(shown[0], facts)))
    rule = f"necessity.{indication.id}"
    reason = f"{indication.summary}: {_SAYS[met]}."
    finding = find(rule, book.text(rule), VERDICTS[met], tuple(evidence), reason)
    return Judged(met, finding, tuple(shown) if met is None else ())


def _facts_for(indication: Indication, facts: Facts) -> Facts:
    """The facts with all left out that the indication does not look at, so that few differ."""
    known = facts._asdict()
    kept = {fact: known[fact] for fact in _asked_by(indication) if fact != "site"}
    if "site" in _asked_by(indication):
        return Facts(facts.sites, facts.sites_from, **kept, implied=facts.implied.intersection(kept))
    return Facts(ANY_SITE, "diagnosis", **kept, implied=facts.implied.intersection(kept))


@lru_cache(maxsize=1 << 10)
def _asked_by(indication: Indication) -> tuple[str, ...]:
    return facts_asked((indication,))


_SAYS: dict[Truth, str] = {True: "yes", False: "no", None: "not known"}
