"""Answers what was asked: whether everything was reproduced, and what another basis would have decided."""

from __future__ import annotations

from msgspec import Struct

from worker.replay.output.report.phrases import ON_REQUEST, number, other_basis, share, some
from worker.replay.output.summary import Summary
from worker.replay.telling.outcome import Counts


class Answer(Struct, frozen=True):
    """The answer to one question: how it is coloured, its word, the sentence, and what supports it."""

    tone: str
    word: str
    sentence: str
    because: str


def headline(summary: Summary) -> str:
    """The verdict in plain words."""
    return " ".join(one.sentence for one in answers(summary))


def answers(summary: Summary) -> list[Answer]:
    """One answer; two where it was also asked what another basis would have decided."""
    if is_empty(summary):
        events = some(summary.counts.events_replayed, "event")
        sentence = "There was no decision to look at."
        return [Answer("none", "Nothing there", sentence, f"The window has {events} and no results.")]
    audit = [] if summary.kind == "impact" else [_audit(summary)]
    change = [] if summary.kind == "replay" else [_change(summary)]
    return audit + change


def is_empty(summary: Summary) -> bool:
    """Whether there is no decision on either side."""
    return not (summary.counts.results_published or summary.counts.results_decided)


def compared(counts: Counts) -> int:
    """Results that one of the sides has."""
    return sum(count for to in counts.outcome_flows.values() for count in to.values())


def changed(summary: Summary) -> int:
    """Results that another basis, which was asked for, decides otherwise."""
    if summary.kind == "impact":
        return summary.counts.results_differing
    return sum(summary.counts.results_by_cause.get(cause, 0) for cause in ON_REQUEST)


def turned(counts: Counts) -> int:
    """Results whose outcome is another, or that only one of the sides has."""
    return compared(counts) - sum(to.get(before, 0) for before, to in counts.outcome_flows.items())


def _audit(summary: Summary) -> Answer:
    counts = summary.counts
    wrong = counts.results_differing - (changed(summary) if summary.kind == "what-if" else 0)
    agree = counts.reproduced == counts.results_published == counts.results_decided
    published = some(counts.results_published, "published result")
    held = f"{number(counts.reproduced)} of {published} came out the same, byte for byte."
    if wrong:
        sentence = f"Not everything was reproduced: {some(wrong, 'result differs', 'results differ')}."
        because = f"{held} {some(wrong, 'result does', 'results do')} not agree with the events."
        return Answer("bad", "Not reproduced", sentence, because)
    if not agree:
        sentence = "Not everything was reproduced: the numbers of results do not agree."
        because = f"{held} Replaying the events gives {some(counts.results_decided, 'result')}."
        return Answer("bad", "Not reproduced", sentence, because)
    because = (
        f"{some(counts.results_published, 'result was', 'results were')} published. Deciding the same "
        "events again by the policies and code sets that each result names gives the same, and no others."
    )
    return Answer("good", "Reproduced", "Every published decision was reproduced, byte for byte.", because)


def _change(summary: Summary) -> Answer:
    what, counts = other_basis(summary), summary.counts
    others, whole = changed(summary), compared(counts)
    who, would = f"The other {what}", "would have changed"
    if summary.kind == "impact":
        who, would = f"The new {what}", "would change"
    if not others:
        because = f"{some(whole, 'result was', 'results were')} compared, and all are alike."
        return Answer("good", "No change", f"{who} {would} nothing.", because)
    because = (
        f"That is {share(others, whole)} of {some(whole, 'result')}; {number(whole - others)} would be as "
        "they are. Where the outcome stays, units, reason codes or only the rules that are named change."
    )
    sentence = f"{who} {would} {some(others, 'result')}, {number(turned(counts))} of them in the outcome."
    return Answer("change", "Changes", sentence, because)
