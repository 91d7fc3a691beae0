"""Three-valued logic, and the facts of a lesion that the necessity policies ask for.

``None`` is unknown. What is missing is unknown, never false.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

from worker.adjudication.policy import (
    BordersAre,
    Criterion,
    Diameter,
    HistologyHas,
    Indication,
    IsTrue,
    SiteIn,
)
from worker.adjudication.redacted import redacted

Truth: TypeAlias = bool | None
Source: TypeAlias = Literal["documentation", "diagnosis"]


def any_of(truths: Iterable[Truth]) -> Truth:
    """True when one is true; else unknown when one is unknown; else false."""
    unknown = False
    for truth in truths:
        if truth:
            return True
        unknown = unknown or truth is None
    return None if unknown else False


@redacted
class Facts(NamedTuple):
    """What is known of the lesion that a Mohs line treats, documentation before diagnosis.

    ``sites`` is the set of sites that are possible; empty is a conflict between records and diagnosis.
    """

    sites: frozenset[str]
    sites_from: Source
    borders: str | None = None
    recurrent: bool | None = None
    incompletely_excised: bool | None = None
    previously_irradiated: bool | None = None
    rapid_growth: bool | None = None
    high_risk_metastasis: bool | None = None
    immunosuppressed: bool | None = None
    histology: tuple[str, ...] | None = None
    implied: frozenset[str] = frozenset()
    """The facts that a supporting diagnosis gave, not the records."""
    diameter_cm: str | None = None
    """Last, because it takes far more values than the others together: see ``necessity.assess``."""


def among(sites: frozenset[str], wanted: frozenset[str]) -> Truth:
    """Whether the site is one of ``wanted``, when all, none or some of the possible sites are."""
    if not sites:
        return None
    if sites <= wanted:
        return True
    return False if sites.isdisjoint(wanted) else None


def truth_of(criterion: Criterion, facts: Facts) -> Truth:
    """Whether the facts meet one criterion."""
    match criterion:
        case SiteIn(one_of=wanted):
            return among(facts.sites, frozenset(wanted))
        case IsTrue(of=name):
            known: Truth = getattr(facts, name)
            return known
        case BordersAre(one_of=wanted):
            return None if facts.borders is None else facts.borders in wanted
        case HistologyHas(any_of=wanted):
            return None if facts.histology is None else not set(wanted).isdisjoint(facts.histology)
        case Diameter(at_least=floor, above=threshold):
            if facts.diameter_cm is None:
                return None
            size = Decimal(facts.diameter_cm)
            return size >= floor if floor is not None else threshold is not None and size > threshold


def fact_of(criterion: Criterion) -> str:
    """The name of the fact that a criterion looks at, as the contract spells it."""
    match criterion:
        case SiteIn():
            return "site"
        case IsTrue(of=name):
            return name
        case BordersAre():
            return "borders"
        case HistologyHas():
            return "histology"
        case Diameter():
            return "diameter_cm"


def evidence_of(fact: str, facts: Facts) -> object:
    """The value of a fact as a result shows it: None is unknown, several possible sites are a list."""
    if fact != "site":
        return getattr(facts, fact)
    if len(facts.sites) == 1:
        return next(iter(facts.sites))
    return tuple(sorted(facts.sites)) or None


def source_of(fact: str, facts: Facts) -> Source:
    """Where a known fact came from."""
    if fact == "site":
        return facts.sites_from
    return "diagnosis" if fact in facts.implied else "documentation"


def facts_asked(indications: Iterable[Indication]) -> tuple[str, ...]:
    """Every fact that some indication looks at, each once, in the policy's order."""
    return tuple(dict.fromkeys(fact_of(item) for one in indications for item in one.any_of))
