"""The policies in force for one payer on one day of service, ready to rule by."""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from worker.adjudication.cite import RuleText, find
from worker.adjudication.finding import Effect, Evidence, Ruling, Verdict
from worker.adjudication.policy import (
    Bundling,
    CodeRange,
    Document,
    Edits,
    Necessity,
    Policies,
    Structure,
    Version,
)

Role: TypeAlias = Literal[
    "first_stage", "additional_stage", "additional_block", "biopsy", "pathology", "repair", "other"
]
MOHS_ROLES: frozenset[Role] = frozenset({"first_stage", "additional_stage", "additional_block"})
MOHS_POLICY, CODING_POLICY, NCCI_POLICY = "mms-medical-policy", "mms-coding", "ncci"
Section = TypeVar("Section", Necessity, Bundling, Structure, Edits)

MEMO_LIMIT = 1 << 12
"""Rulings remembered by a rulebook; a memo, so forgetting changes nothing but speed."""


Documents: TypeAlias = tuple[Document, Document, Document, Document]
"""The documents that decide a claim: necessity, Mohs bundling, coding, NCCI."""


class InForce(NamedTuple):
    """The versions of some documents on one day; where none is in force, the nearest one and its absence."""

    versions: tuple[Version, ...]
    absent: tuple[str, ...]


def in_force(documents: Documents, day: date) -> InForce:
    """What is in force of the documents on a day of service."""
    absent = dict.fromkeys(one.id for one in documents if one.on(day) is None)
    return InForce(tuple(one.on(day) or _nearest(one, day) for one in documents), tuple(absent))


class Rulebook:
    """One set of policy versions: who asks what of which code, and how each rule is cited.

    ``absent`` names the policies without a version in force; then every line under review pends.
    """

    def __init__(self, documents: Documents, in_force: InForce) -> None:
        necessity, mohs, coding, ncci = documents
        self.absent = in_force.absent
        versions = {one.id: version for one, version in zip(documents, in_force.versions, strict=True)}
        self.versions = {name: one.version for name, one in versions.items() if name not in self.absent}
        self.necessity: Necessity = _section(versions[necessity.id].necessity, necessity)
        self.bundling: Bundling = _section(versions[mohs.id].bundling, mohs)
        self.structure: Structure = _section(versions[coding.id].structure, coding)
        self.edits: Edits = _section(versions[ncci.id].edits, ncci)
        self.central_sites = frozenset(self.structure.central_sites)
        self.peripheral_sites = frozenset(self.structure.peripheral_sites)
        self.stages = frozenset((*self.structure.first_stages, *self.structure.additional_stages))
        self.distinct_modifiers = frozenset(self.structure.distinct_lesion_modifiers)
        self.component_modifiers = frozenset(self.structure.component_modifiers)
        self.biopsy_modifiers = frozenset(self.bundling.biopsy_modifiers)
        self.em_only_modifiers = frozenset(self.edits.em_only_modifiers)
        self._texts = _texts(documents, versions, self.absent)
        self._roles: dict[str, Role] = {}
        self._memo: dict[tuple[object, ...], Ruling] = {}

    def role(self, procedure: str) -> Role:
        """What a procedure code is to a Mohs claim."""
        role = self._roles.get(procedure)
        if role is None:
            if len(self._roles) >= MEMO_LIMIT:
                self._roles.clear()
            role = self._roles[procedure] = self._role(procedure)
        return role

    def is_em(self, procedure: str) -> bool:
        """Whether a code is evaluation and management."""
        return _within(procedure, self.edits.em)

    def _role(self, procedure: str) -> Role:
        if procedure in self.structure.first_stages:
            return "first_stage"
        if procedure in self.structure.additional_stages:
            return "additional_stage"
        if procedure == self.structure.additional_blocks:
            return "additional_block"
        if _within(procedure, self.bundling.biopsies):
            return "biopsy"
        if _within(procedure, self.bundling.pathology):
            return "pathology"
        return "repair" if _within(procedure, self.bundling.repairs) else "other"

    def text(self, rule: str) -> RuleText:
        """Where a rule stands, by its id."""
        return self._texts[rule]

    def satisfied(self, rule: str, reason: str, evidence: Evidence = ()) -> Ruling:
        """The rule was asked and the line stands."""
        return self._ruling(rule, "satisfied", "none", reason, evidence, ())

    def denied(self, rule: str, reason: str, evidence: Evidence = ()) -> Ruling:
        """The rule denies the line, with the reason codes that the policy gives it."""
        return self._ruling(rule, "violated", "deny", reason, evidence, ())

    def limited(self, rule: str, reason: str, evidence: Evidence = ()) -> Ruling:
        """The rule allows fewer units than were billed; the rest carries its reason codes."""
        return self._ruling(rule, "violated", "limit", reason, evidence, ())

    def pended(self, rule: str, reason: str, evidence: Evidence = (), needed: tuple[str, ...] = ()) -> Ruling:
        """The rule cannot be settled: for want of ``needed`` facts, or because of another line."""
        return self._ruling(rule, "unknown", "pend", reason, evidence, needed)

    def _ruling(
        self,
        rule: str,
        verdict: Verdict,
        effect: Effect,
        reason: str,
        evidence: Evidence,
        needed: tuple[str, ...],
    ) -> Ruling:
        key = (rule, verdict, effect, reason, evidence, needed)
        ruling = self._memo.get(key)
        if ruling is None:
            text = self._texts[rule]
            adjustment = text.pend if effect == "pend" else text.deny if effect != "none" else None
            ruling = Ruling(find(rule, text, verdict, evidence, reason), effect, adjustment, needed)
            if len(self._memo) >= MEMO_LIMIT:
                self._memo.clear()
            self._memo[key] = ruling
        return ruling


def rulebook_documents(policies: Policies, necessity: str) -> Documents:
    """The documents that decide a claim: the necessity policy of that id, Mohs bundling, coding, NCCI."""
    shared = policies.documents
    return (
        shared[necessity],
        shared[MOHS_POLICY],
        shared[CODING_POLICY],
        shared[NCCI_POLICY],
    )


def _texts(
    documents: tuple[Document, ...], versions: dict[str, Version], absent: tuple[str, ...]
) -> dict[str, RuleText]:
    """Every rule's text; of a rule in several documents the first one speaks (the payer's necessity)."""
    texts: dict[str, RuleText] = {}
    for document in documents:
        version = versions[document.id]
        for rule, written in version.rules.items():
            texts.setdefault(
                rule,
                RuleText(document.id, version.version, written.citation, written.deny, document.pend),
            )
        for one in version.necessity.indications if version.necessity else ():
            texts.setdefault(
                f"necessity.{one.id}",
                RuleText(document.id, version.version, one.citation, None, document.pend),
            )
    for document in documents:
        if document.id in absent:
            text = RuleText(document.id, "none", document.title, None, document.pend)
            texts.setdefault("policy.not-in-force", text)
    return texts


def _nearest(document: Document, day: date) -> Version:
    """The newest version begun by ``day``, else the oldest; it says what is under review all the same."""
    begun = [version for version in document.versions if version.effective <= day]
    return begun[-1] if begun else document.versions[0]


def _section(section: Section | None, document: Document) -> Section:
    if section is None:
        raise ValueError(f"policy {document.id} lacks a section that the engine needs")
    return section


def _within(procedure: str, ranges: tuple[CodeRange, ...]) -> bool:
    # The last character tells kinds of codes apart: 1400F, a performance measure, is no flap of 14000-14350.
    kind = procedure[-1].isdigit()
    return any(first <= procedure <= last and kind is first[-1].isdigit() for first, last in ranges)
