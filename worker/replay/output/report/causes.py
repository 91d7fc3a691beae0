"""Why results differ: by cause, by reason code, and both over time."""

from __future__ import annotations

from collections import Counter

from worker.devkit.report import DENIALS
from worker.replay.output.report.calendar import periods
from worker.replay.output.report.columns import Chart, Series, columns
from worker.replay.output.report.markup import NOTHING, Markup, joined, tag
from worker.replay.output.report.phrases import CAUSES, cause_in_words, number, share, some
from worker.replay.output.report.tables import Column, numbers, section, table
from worker.replay.output.summary import Summary
from worker.replay.telling.outcome import Counts

RANKED = 7
"""Reason codes with a colour of their own; the others share one."""
REASONS = DENIALS | {"133": "waits for a fact that would settle it"}


def causes(summary: Summary) -> Markup:
    """The section."""
    over = Chart(
        "causes-over-time",
        "Differences by cause",
        "results",
        _by_cause(summary),
        periods(summary.counts.causes_by_day),
    )
    drawn = columns(over)
    late = _timeless(summary.counts) if drawn else NOTHING
    return section("causes", "Why they differ", _causes(summary), drawn, late, _carcs(summary.counts))


def _timeless(counts: Counts) -> Markup:
    """How many of the results are in no column of the picture."""
    timed = sum(count for of_day in counts.causes_by_day.values() for count in of_day.values())
    if not (left := counts.results_differing - timed):
        return NOTHING
    have = some(left, "result that differs has", "results that differ have")
    return tag("p", f"Over time, {have} no place: no time is known of what brought them about.")


def _causes(summary: Summary) -> Markup:
    counts = summary.counts
    heads = (Column("Cause"), *numbers("Results", "Share", "Lines"), Column("What it means"))
    rows = []
    for place, cause in enumerate(CAUSES):
        if count := counts.results_by_cause.get(cause, 0):
            label, meaning = cause_in_words(cause, summary.kind)
            named = tag(
                "span", tag("i", class_=f"swatch s{place}", aria_hidden="true"), label, class_="named"
            )
            lines = number(counts.lines_by_cause.get(cause, 0))
            rows.append((named, number(count), share(count, counts.results_differing), lines, meaning))
    return table("by-cause", "Results that differ, by cause", heads, rows)


def _by_cause(summary: Summary) -> list[Series]:
    found = summary.counts.results_by_cause
    return [
        Series(cause_in_words(cause, summary.kind)[0], f"s{place}", (cause,))
        for place, cause in enumerate(CAUSES)
        if found.get(cause)
    ]


def _carcs(counts: Counts) -> Markup:
    totals: Counter[str] = Counter()
    for of_day in counts.carcs_by_day.values():
        totals.update(of_day)
    if not totals:
        return NOTHING
    ranked = sorted(totals, key=lambda carc: (-totals[carc], carc))
    series = [Series(f"CARC {carc}", f"s{place}", (carc,)) for place, carc in enumerate(ranked[:RANKED])]
    if len(ranked) > RANKED:
        series.append(Series("others", "s7", tuple(ranked[RANKED:])))
    over = Chart(
        "carcs-over-time", "Reason codes that came or went", "lines", series, periods(counts.carcs_by_day)
    )
    heads = (Column("CARC"), *numbers("Lines"), Column("In words"))
    rows = ((carc, number(totals[carc]), REASONS.get(carc, "")) for carc in ranked)
    caption = "Lines by reason code (CARC) that only one side has"
    return joined([table("by-carc", caption, heads, rows), columns(over)])
