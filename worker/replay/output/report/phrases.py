"""What the page calls things; words fit the question that was asked, and need no knowledge of the code."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from worker.replay.output.summary import Summary
from worker.replay.output.withholding import FEWEST
from worker.replay.telling.outcome import NONE


class Phrases(Struct, frozen=True):
    """Words for one kind of replay."""

    title: str
    before: str
    """Heads what stood before, wherever two things stand side by side."""
    after: str
    sides: str
    """Says what the two sides are."""
    among: str = ""
    """Goes on where lines are counted: by another basis, outcomes leave faults of the record out."""


PHRASES: Final = {
    "replay": Phrases(
        title="Audit replay",
        before="Published",
        after="Replayed",
        sides="Published is what was sent out at the time. Replayed is what the same events give now, "
        "decided by the policies and code sets that each result names.",
    ),
    "what-if": Phrases(
        title="Audit replay with another basis",
        before="Before",
        after="After",
        sides="Before is what the recorded policies and code sets decide on these events. After is what the "
        "others decide that were asked for.",
        among=", those of results that were not reproduced among them",
    ),
    "impact": Phrases(
        title="Policy impact",
        before="Present",
        after="New",
        sides="Present is what the policies of today decide on these events. New is what the new ones decide "
        "on the same events.",
    ),
}

DASH: Final = "\N{EN DASH}"
"""Stands where there is nothing, and between the ends of a range."""
MINUS: Final = "\N{MINUS SIGN}"
WITHHELD: Final = "withheld"
WITHHELD_WHY: Final = f"charges of fewer than {FEWEST} results, or where fewer claims differ, are withheld"
"""So that no claim's charges can be told from a sum."""

ON_REQUEST: Final = ("policy", "code_set")
"""Causes that come from deciding by something else, where that was asked for."""

_CAUSES: Final = {
    "policy": ("Policy", "It was decided by other policies than those that decided again."),
    "code_set": (
        "Code set",
        "It was decided by other code sets (diagnoses, pairs, unit limits) than those that decided again.",
    ),
    "history": (
        "History",
        "The result says itself that it was decided knowing other events of the same member than are here.",
    ),
    "engine": (
        "Engine",
        "The result was decided by another version of the program than the one that decided again.",
    ),
    "missing": ("Missing", "The events call for a result, and none was published."),
    "extra": ("Extra", "A result was published that the events do not call for, or one was published twice."),
    "tampered": (
        "Tampered",
        "The result contradicts its own digests: decided by what it names, it would read otherwise.",
    ),
}
_OTHERS: Final = {
    "what-if": {
        "policy": (
            "Policy",
            "The other policies decide this otherwise, as was asked: no fault of the record.",
        ),
        "code_set": (
            "Code set",
            "The other code sets decide this otherwise, as was asked: no fault of the record.",
        ),
    },
    "impact": {
        "policy": ("Policy", "The new policies decide this otherwise."),
        "code_set": ("Code set", "The new code sets decide this otherwise."),
    },
}
"""What causes mean where it was asked what others would decide."""
CAUSES: Final = tuple(_CAUSES)
"""In the order in which they are listed and coloured."""

OUTCOMES: Final = {
    "pay": "Pay",
    "partial": "Partial",
    "pend": "Pend",
    "deny": "Deny",
    "out_of_scope": "Out of scope",
    "void": "Void",
    NONE: "No result",
}
"""In the order of all pictures."""
DECISIONS: Final = {
    "pay": "Pay",
    "pend": "Pend",
    "deny": "Deny",
    "not_reviewed": "Not reviewed",
    NONE: "No such line",
}


def phrases(summary: Summary) -> Phrases:
    """The words for this replay."""
    return PHRASES[summary.kind]


def sides_of(cause: str, summary: Summary) -> tuple[str, str]:
    """What stands before and after in a claim that differs for this cause."""
    if summary.kind != "what-if":
        return phrases(summary).before, phrases(summary).after
    return ("As recorded", "By the others") if cause in ON_REQUEST else ("Published", "Replayed")


def cause_in_words(cause: str, kind: str) -> tuple[str, str]:
    """A cause's name, and one sentence that explains it to a person who knows claims, not programs."""
    return _OTHERS.get(kind, {}).get(cause) or _CAUSES[cause]


def in_order(names: dict[str, str], present: set[str]) -> list[str]:
    """Those names that are present: the known ones in their order, then any others."""
    return [one for one in names if one in present] + sorted(present - set(names))


def other_basis(summary: Summary) -> str:
    """What is other about the basis that was asked for: ``policies``, ``code sets`` or both."""
    if (compared := summary.compared) is None or not summary.recorded:
        return "policies"
    policies = any(one.policies_digest != compared.policies_digest for one in summary.recorded)
    codes = any(one.code_sets_digest != compared.code_sets_digest for one in summary.recorded)
    if policies and codes:
        return "policies and code sets"
    return "code sets" if codes else "policies"


def place_of(summary: Summary) -> str:
    """What a shard is called: files have no partitions, their members are dealt out to parts."""
    return "Partition" if any(one.partition is not None for one in summary.sources) else "Part"


def number(count: int) -> str:
    """With thousands separators."""
    return f"{count:,}"


def some(count: int, one: str, many: str = "") -> str:
    """A number of things: ``1 result``, ``2,000 results``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def dollars(cents: int) -> str:
    """An amount of whole cents."""
    return f"${cents // 100:,}.{cents % 100:02}"


def charge(cents: int | None) -> str:
    """Charges that were billed, or that they are not told."""
    return WITHHELD if cents is None else dollars(cents)


def share(part: int, whole: int) -> str:
    """A percentage that says neither 0 nor 100 where it is not so."""
    if not whole:
        return DASH
    if part and part * 1000 < whole:
        return "< 0.1%"
    if part < whole < (whole - part) * 1000 or part in {0, whole}:
        return f"{part / whole:.1%}"
    return "> 99.9%"
