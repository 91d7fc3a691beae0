"""Criteria, periods, reason codes and changes in plain words, for people who read policies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from worker.adjudication.policy import (
    Adjustment,
    BooleanFact,
    BordersAre,
    Criterion,
    Diameter,
    HistologyHas,
    IsTrue,
    SiteIn,
    Version,
)
from worker.policies.differences import Change

_YES: dict[BooleanFact, str] = {
    "recurrent": "the lesion came back after an earlier treatment",
    "incompletely_excised": "an earlier excision was incomplete",
    "previously_irradiated": "the skin there was irradiated before",
    "rapid_growth": "it grows rapidly",
    "immunosuppressed": "the patient is immunosuppressed",
    "high_risk_metastasis": "a high risk of metastasis is documented",
}


def criterion_in_words(criterion: Criterion) -> str:
    """What a criterion asks, such as ``the diameter is at least 2.0 cm``."""
    match criterion:
        case SiteIn(one_of=sites):
            return f"the site is {_alternatives(sites)}"
        case IsTrue(of=fact):
            return _YES[fact]
        case BordersAre(one_of=borders):
            return f"the borders are {_alternatives(borders)}"
        case HistologyHas(any_of=characteristics):
            return f"the histology shows {_alternatives(characteristics)}"
        case Diameter(at_least=floor, above=threshold):
            bound = f"at least {floor}" if floor is not None else f"above {threshold}"
            return f"the diameter is {bound} cm"


def adjustment_in_words(adjustment: Adjustment | None) -> str:
    """Reason codes as they are written on a remittance: ``CO-50 N130``; empty when there are none."""
    if adjustment is None:
        return ""
    return " ".join((f"{adjustment.group}-{adjustment.carc}", *adjustment.rarc))


def period_in_words(version: Version) -> str:
    """The days of service on which a version is in force."""
    return f"from {version.effective}" + (f" to {version.until}" if version.until else ", open-ended")


def value_in_words(value: Any) -> str:
    """A parameter's value on one line: ranges as ``first to last``, mappings as ``key: value``."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {inner}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        members = (" to ".join(one) if isinstance(one, list | tuple) else str(one) for one in value)
        return ", ".join(members) or "none"
    return str(value)


def change_in_words(change: Change) -> str:
    """One line: ``+`` a key that came, ``-`` one that went, ``~`` one whose value changed."""
    key, old, new = change
    if old is None:
        return f"+ {key}: {value_in_words(new)}"
    if new is None:
        return f"- {key}: {value_in_words(old)}"
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        came, went = [one for one in new if one not in old], [one for one in old if one not in new]
        told = {"added": came, "removed": went} if came or went else {"order": new}
        return f"~ {key}: " + "; ".join(
            f"{word} {value_in_words(some)}" for word, some in told.items() if some
        )
    return f"~ {key}: {value_in_words(old)} -> {value_in_words(new)}"


def _alternatives(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
