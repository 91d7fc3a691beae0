"""Medical necessity of a Mohs line: its diagnosis, then any one indication (policy §§1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
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
from worker.adjudication.rulebook import MEMO_LIMIT, Rulebook
from worker.adjudication.service import Service

VERDICTS: dict[Truth, Verdict] = {True: "met", False: "not_met", None: "unknown"}


class Judged(NamedTuple):
    """One indication on one set of facts: whether it is met, its finding, the facts it lacks."""

    met: Truth
    finding: Finding
    unknown: tuple[str, ...]
    """The facts for want of which it is not known."""


class Assessment(NamedTuple):
    """What the indications say of one set of facts."""

    ruling: Ruling
    """Of the policy as a whole: necessary, not necessary, or undetermined with the facts it needs."""
    indications: Sequence[Judged]
    """Each indication, in the policy's order."""
    met: tuple[Finding, ...]
    """The findings of those that are met."""


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
    ruling, indications, service.met = _questionnaire(book).assess(facts)
    if service.traced:
        service.indications = tuple(one.finding for one in indications)
    if service.traced or ruling.effect != "none":
        service.record_ruling(ruling)


class Questionnaire:
    """Every indication of a payer's policy. Any met suffices; unknown is never false."""

    def __init__(self, book: Rulebook) -> None:
        indications = book.necessity.indications
        self._book = book
        self._questions = tuple(Question(book, indication) for indication in indications)
        self._facts_asked = facts_asked(indications)
        self._necessary = book.satisfied("necessity.indications", "An indication is met.")

    def assess(self, facts: Facts) -> Assessment:
        """Ask every indication."""
        judged = [question.ask(facts) for question in self._questions]
        met = tuple([one.finding for one in judged if one.met])
        if met:
            return Assessment(self._necessary, judged, met)
        shown = tuple((fact, evidence_of(fact, facts)) for fact in self._facts_asked)
        needed = tuple(dict.fromkeys(fact for one in judged for fact in one.unknown))
        if needed:
            reason = "No indication is met yet, and facts are missing of which any one could meet one."
            ruling = self._book.pended("necessity.indications", reason, shown, needed)
        else:
            reason = "None of the policy's indications is met by the facts on record."
            ruling = self._book.denied("necessity.indications", reason, shown)
        return Assessment(ruling, judged, met)


class Question:
    """One indication of one rulebook. It looks at few facts, so it remembers what it said of them."""

    def __init__(self, book: Rulebook, indication: Indication) -> None:
        self._book = book
        self._indication = indication
        asked = set(facts_asked((indication,)))
        if "site" in asked:
            asked |= {"sites", "sites_from"}
        looked_at = [i for i, name in enumerate(Facts._fields) if name in asked or name == "implied"]
        self._look_at = itemgetter(*looked_at)
        self._said: dict[tuple[object, ...], Judged] = {}

    def ask(self, facts: Facts) -> Judged:
        """Whether the facts meet the indication."""
        seen = self._look_at(facts)
        judged = self._said.get(seen)
        if judged is None:
            if len(self._said) >= MEMO_LIMIT:
                self._said.clear()
            judged = self._said[seen] = self._judge(facts)
        return judged

    def _judge(self, facts: Facts) -> Judged:
        truths = [(criterion, truth_of(criterion, facts)) for criterion in self._indication.any_of]
        met = any_of(truth for _, truth in truths)
        shown = [fact_of(criterion) for criterion, truth in truths if truth is met]
        evidence = [(fact, evidence_of(fact, facts)) for fact in dict.fromkeys(shown)]
        if met is not None:
            evidence.append(("from", source_of(shown[0], facts)))
        rule = f"necessity.{self._indication.id}"
        reason = f"{self._indication.summary}{_SAYS[met]}"
        finding = find(rule, self._book.text(rule), VERDICTS[met], tuple(evidence), reason)
        return Judged(met, finding, tuple(shown) if met is None else ())


_questionnaire = lru_cache(maxsize=1 << 10)(Questionnaire)
"""One a rulebook, since it remembers."""

_SAYS: dict[Truth, str] = {True: ".", False: ": not so.", None: ": not known."}
