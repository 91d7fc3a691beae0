"""The top of the page: what was found, in one or two sentences, and the numbers that make it so."""

from __future__ import annotations

from worker.replay.output.report.amounts import billed
from worker.replay.output.report.answers import Answer, answers, changed, compared, headline
from worker.replay.output.report.markup import NOTHING, Markup, joined, tag
from worker.replay.output.report.phrases import (
    CAUSES,
    DASH,
    WITHHELD,
    cause_in_words,
    number,
    phrases,
    share,
    some,
)
from worker.replay.output.summary import Summary
from worker.replay.telling.outcome import Counts

MARKS = {"good": "✓", "bad": "≠", "change": "→", "none": DASH}
"""Beside the colour and the word, for whoever sees no colours."""


def verdict(summary: Summary) -> Markup:
    """The whole top."""
    given = answers(summary)
    return tag(
        "section",
        tag("p", phrases(summary).title, class_="eyebrow"),
        tag("h1", headline(summary), id="verdict-heading"),
        tag("ul", *(_answer(one) for one in given), class_="answers", role="list"),
        _causes(summary),
        tag("dl", *(_figure(*one) for one in _figures(summary)), class_="figures"),
        id="verdict",
        class_=given[0].tone,
        aria_labelledby="verdict-heading",
    )


def _answer(answer: Answer) -> Markup:
    mark = tag("span", MARKS[answer.tone], aria_hidden="true")
    badge = tag("span", mark, f" {answer.word}", class_=f"badge {answer.tone}")
    return tag("li", badge, " ", tag("span", answer.because))


def _causes(summary: Summary) -> Markup:
    found = summary.counts.results_by_cause
    chips = [
        tag(
            "li", _swatch(place), f"{cause_in_words(cause, summary.kind)[0]} ", tag("b", number(found[cause]))
        )
        for place, cause in enumerate(CAUSES)
        if found.get(cause)
    ]
    if not chips:
        return NOTHING
    return tag("ul", *chips, class_="chips", role="list", aria_label="Results that differ, by cause")


def _swatch(place: int) -> Markup:
    return tag("i", class_=f"swatch s{place}", aria_hidden="true")


def _figure(name: str, value: str, note: str) -> Markup:
    noted = tag("dd", note, class_="note") if note else NOTHING
    return tag("div", tag("dt", name), tag("dd", value), noted)


def _figures(summary: Summary) -> list[tuple[str, str, str]]:
    """Names, values and notes, in the order in which a reader would ask for them."""
    counts = summary.counts
    warmed = f"and {number(counts.events_warmed_up)} before, for history" if counts.events_warmed_up else ""
    figures = [("Events", number(counts.events_replayed), warmed)]
    if summary.kind != "impact":
        figures.append(("Results published", number(counts.results_published), ""))
        figures.append(("Decided again", number(counts.results_decided), ""))
        held = share(counts.reproduced, counts.results_published)
        figures.append(("Reproduced", number(counts.reproduced), held))
    if summary.kind != "replay":
        whole, others = compared(counts), changed(summary)
        figures.append(("Results compared", number(whole), ""))
        figures.append(("Decided alike", number(whole - others), share(whole - others, whole)))
    if counts.results_differing:
        differing = counts.results_differing
        figures.append(("Differences", number(differing), f"on {some(counts.claims_differing, 'claim')}"))
        figures.append(("Lines that differ", *_lines(counts)))
    return figures


def _lines(counts: Counts) -> tuple[str, str]:
    charges = billed(counts)
    note = f"charges {WITHHELD}" if charges == WITHHELD else f"billed at {charges}"
    return number(sum(counts.lines_by_cause.values())), note


def proven(summary: Summary) -> Markup:
    """Where nothing differs: what that means, and what it does not."""
    counts = summary.counts
    told = []
    if summary.kind != "replay":
        told.append("Every line has the same decision, units, reason codes and rules by both.")
    if summary.kind != "impact":
        if silent := counts.events_undecidable:
            told.append(
                f"Of {some(silent, 'event')} without a result, where policies or code sets were changed, it "
                "cannot be told whether one was taken away. Else no result is missing, none is there that "
                "should not be, and none was sent out twice."
            )
        else:
            told.append(
                "No result is missing, none is there that should not be, and none was sent out twice."
            )
        told.append("Every result agrees with the digests that it carries, and is what its events call for.")
        told.append("The policies and code sets that each result names were found and decided by again.")
    if rejected := sum(counts.events_rejected.values()):
        told.append(f"{some(rejected, 'event')} of the window could not be decided, as listed below.")
    told.append("It holds for the records listed below: their digests tell them from any others.")
    told.append("It does not say that the events themselves are true, or that none was ever left out.")
    return tag("ul", joined(tag("li", one) for one in told), class_="proven")
