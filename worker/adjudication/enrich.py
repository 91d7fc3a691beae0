"""A claim's lines with the site, the lesion and the facts that its records and diagnoses give."""

from __future__ import annotations

from worker.adjudication.claim import ANY_SITE, FACE_SITES, Claim, Lesion, Line
from worker.adjudication.codesets import Tables
from worker.adjudication.facts import Facts, Source
from worker.adjudication.rulebook import Rulebook
from worker.adjudication.service import Rank, Service


def enrich(claim: Claim, line: Line, rank: Rank, book: Rulebook, tables: Tables) -> Service:
    """One line on its day of service, ready for the rules."""
    service = Service(claim, line, rank, book, tables)
    if service.is_mohs:
        _name_lesion(service)
        service.diagnosis = line_diagnosis(claim, line, tables)
        service.record = lesion_record(claim, service.lesion)
        service.facts = _facts(service)
    else:
        service.record = lesion_record(claim, service.lesion)
    return service


def line_diagnosis(claim: Claim, line: Line, tables: Tables) -> str:
    """The first pointed-to diagnosis that is on the policy's list, else the first pointer's."""
    for pointer in line.diagnosis_pointers:
        code = claim.diagnoses[pointer - 1]
        if code in tables.policy_diagnoses:
            return code
    return claim.diagnoses[line.diagnosis_pointers[0] - 1]


def lesion_record(claim: Claim, lesion: str | None) -> Lesion | None:
    """What the claim's own records say of a lesion."""
    if lesion is None or claim.documentation is None:
        return None
    for record in claim.documentation.lesions or ():
        if record.lesion == lesion:
            return record
    return None


def _name_lesion(service: Service) -> None:
    """A Mohs line without a lesion is the only documented one, or its own with 59/XS (policy §3)."""
    if service.lesion is not None:
        return
    if not service.modifiers.isdisjoint(service.book.distinct_modifiers):
        service.lesion_kind = "own"
        return
    documentation = service.claim.documentation
    documented = documentation.lesions if documentation is not None else None
    if documented is not None and len(documented) == 1:
        service.lesion = documented[0].lesion
        service.lesion_kind = "named"


def _facts(service: Service) -> Facts:
    tables, record, documentation = service.tables, service.record, service.claim.documentation
    possible = tables.policy_diagnoses.get(service.diagnosis, ANY_SITE)
    sites, sites_from = _sites(record.site if record else None, possible)
    immunosuppressed = documentation.immunosuppressed if documentation else None
    irradiated = record.previously_irradiated if record else None
    implied = _implied(service, immunosuppressed, irradiated)
    if record is None:
        return Facts(
            sites,
            sites_from,
            previously_irradiated=True if "previously_irradiated" in implied else None,
            immunosuppressed=True if "immunosuppressed" in implied else immunosuppressed,
            implied=implied,
        )
    return Facts(
        sites,
        sites_from,
        record.borders,
        record.recurrent,
        record.incompletely_excised,
        True if "previously_irradiated" in implied else irradiated,
        record.rapid_growth,
        record.high_risk_metastasis,
        True if "immunosuppressed" in implied else immunosuppressed,
        distinct(record.histology),
        implied,
        record.diameter_cm,
    )


def distinct(words: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The words of a closed vocabulary, each once: a list may repeat them as often as a record is long."""
    return words if words is None or len(words) < 2 else tuple(dict.fromkeys(words))


def _sites(documented: str | None, possible: frozenset[str]) -> tuple[frozenset[str], Source]:
    """The sites that remain possible; none of them is a conflict."""
    if documented is None:
        return possible, "diagnosis"
    if documented == "face":
        return possible & FACE_SITES, "documentation"
    return frozenset((documented,)) & possible, "documentation"


NONE_IMPLIED: frozenset[str] = frozenset()


def _implied(service: Service, immunosuppressed: bool | None, irradiated: bool | None) -> frozenset[str]:
    """Facts that supporting diagnoses make true where the records are silent (policy §1, "Implied").

    Immunosuppression counts from anywhere on the claim, irradiation only where the line points to it.
    """
    implies, diagnoses = service.tables.implied_facts, service.claim.diagnoses
    if implies.keys().isdisjoint(diagnoses):
        return NONE_IMPLIED
    found = set()
    if immunosuppressed is None and any(implies.get(code) == "immunosuppressed" for code in diagnoses):
        found.add("immunosuppressed")
    pointed = (diagnoses[pointer - 1] for pointer in service.line.diagnosis_pointers)
    if irradiated is None and any(implies.get(code) == "irradiated" for code in pointed):
        found.add("previously_irradiated")
    return frozenset(found)
