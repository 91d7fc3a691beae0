"""Medical necessity of a Mohs line: its diagnosis, then any one indication (policy §§1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from worker.adjudication.cite import find
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
from worker.adjudication.finding import Evidence, Finding, Ruling, Verdict
from worker.adjudication.policy import Indication
from worker.adjudication.redacted import redacted
from worker.adjudication.rulebook import MEMO_LIMIT, Rulebook
from worker.adjudication.service import Service

WIDE_FACTS = frozenset({"site", "histology", "diameter_cm"})
"""Facts of many values; the others are yes, no or unknown, or little more."""

VERDICTS: dict[Truth, Verdict] = {True: "met", False: "not_met", None: "unknown"}


@redacted
class Judged(NamedTuple):
    """One indication on one set of facts; sorts in the policy's order."""

    position: int
    met: Truth
    finding: Finding
    unknown: tuple[str, ...]
    """The facts for want of which it is not known."""


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
    questionnaire = _questionnaire(book)
    service.met = questionnaire.met(facts)
    if service.traced:
        service.indications = tuple(one.finding for one in questionnaire.judge(facts))
    if not service.met:
        service.record_ruling(questionnaire.unmet(facts))
    elif service.traced:
        service.record_ruling(book.satisfied("necessity.indications", "An indication is met."))


class Questionnaire:
    """Every indication of a payer's policy. Any met suffices; unknown is never false."""

    def __init__(self, book: Rulebook) -> None:
        indications = book.necessity.indications
        self._book = book
        self._facts_asked = facts_asked(indications)
        groups: dict[frozenset[str], list[tuple[int, Indication]]] = {}
        for position, indication in enumerate(indications):
            key = WIDE_FACTS.intersection(facts_asked((indication,)))
            groups.setdefault(key, []).append((position, indication))
        self._panels = tuple(Panel(book, group) for group in groups.values())

    def met(self, facts: Facts) -> tuple[Finding, ...]:
        """The findings of the indications that the facts meet."""
        met: list[Judged] = []
        for panel in self._panels:
            met += panel.ask(facts).met
        if len(met) > 1:
            met.sort()
        return tuple([one.finding for one in met])

    def judge(self, facts: Facts) -> list[Judged]:
        """Every indication on the facts."""
        return sorted(one for panel in self._panels for one in panel.ask(facts).judged)

    def unmet(self, facts: Facts) -> Ruling:
        """The ruling where no indication is met: a pend for the facts that could meet one, or a denial."""
        judged = self.judge(facts)
        shown = tuple((fact, evidence_of(fact, facts)) for fact in self._facts_asked)
        needed = tuple(dict.fromkeys(fact for one in judged for fact in one.unknown))
        if needed:
            reason = "No indication is met yet, and facts are missing of which any one could meet one."
            return self._book.pended("necessity.indications", reason, shown, needed)
        reason = "None of the policy's indications is met by the facts on record."
        return self._book.denied("necessity.indications", reason, shown)


@redacted
class Answer(NamedTuple):
    """What a panel says of a set of facts: each of its indications, and those that are met."""

    judged: tuple[Judged, ...]
    met: tuple[Judged, ...]


class Panel:
    """Indications that look at the same wide facts. They see few different ones, so it remembers answers."""

    def __init__(self, book: Rulebook, indications: Sequence[tuple[int, Indication]]) -> None:
        self._book = book
        self._indications = indications
        asked = set(facts_asked(indication for _, indication in indications))
        if "site" in asked:
            asked |= {"sites", "sites_from"}
        looked_at = [i for i, name in enumerate(Facts._fields) if name in asked or name == "implied"]
        self._look_at = itemgetter(*looked_at)
        self._said: dict[tuple[object, ...], Answer] = {}

    def ask(self, facts: Facts) -> Answer:
        """Judge the panel's indications."""
        seen = self._look_at(facts)
        answer = self._said.get(seen)
        if answer is None:
            if len(self._said) >= MEMO_LIMIT:
                self._said.clear()
            judged = tuple(self._judge(position, one, facts) for position, one in self._indications)
            answer = self._said[seen] = Answer(judged, tuple(one for one in judged if one.met))
        return answer

    def _judge(self, position: int, indication: Indication, facts: Facts) -> Judged:
        truths = [(criterion, truth_of(criterion, facts)) for criterion in indication.any_of]
        met = any_of(truth for _, truth in truths)
        shown = [fact_of(criterion) for criterion, truth in truths if truth is met]
        evidence = [(fact, evidence_of(fact, facts)) for fact in dict.fromkeys(shown)]
        if met is not None:
            evidence.append(("from", source_of(shown[0], facts)))
        rule = f"necessity.{indication.id}"
        reason = f"{indication.summary}{_SAYS[met]}"
        finding = find(rule, self._book.text(rule), VERDICTS[met], tuple(evidence), reason)
        return Judged(position, met, finding, tuple(shown) if met is None else ())


_questionnaire = lru_cache(maxsize=1 << 10)(Questionnaire)
"""One a rulebook, since it remembers."""

_SAYS: dict[Truth, str] = {True: ".", False: ": not so.", None: ": not known."}
