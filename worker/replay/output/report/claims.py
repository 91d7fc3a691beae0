"""The first claims that differ, each with both explanations side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from worker.replay.output.report.lines import both_sides, line_rows
from worker.replay.output.report.markup import Markup, joined, tag
from worker.replay.output.report.phrases import (
    CAUSES,
    DASH,
    OUTCOMES,
    cause_in_words,
    number,
    place_of,
    sides_of,
    some,
)
from worker.replay.output.report.tables import section
from worker.replay.output.summary import Summary
from worker.replay.telling.differences import Example, ShownLine, ShownResult

FACTS: tuple[tuple[str, Callable[[ShownResult], str]], ...] = (
    ("Policies", lambda one: one.policies),
    ("Code sets", lambda one: one.code_sets),
    ("Engine", lambda one: one.engine),
    ("Revision", lambda one: str(one.revision)),
    ("Result id", lambda one: one.result_id),
)
"""What is told of a result behind its outcome and its lines."""


def claims(summary: Summary, examples: Sequence[Example]) -> Markup:
    """The section."""
    shown = [_claim(place, one, summary) for place, one in enumerate(examples, start=1)]
    return section(
        "claims", "Claims that differ", tag("p", _told(summary, len(shown))), _controls(len(shown)), *shown
    )


def _told(summary: Summary, shown: int) -> str:
    every = summary.counts.results_differing
    which = (
        f"The first {number(shown)} are here, by partition and offset" if shown < every else "All are here"
    )
    differing = some(every, "result differs", "results differ")
    claims = some(summary.counts.claims_differing, "claim")
    tables = "the tables differences.csv and differences.parquet hold every line"
    return f"{differing}, on {claims}. {which}; {tables}."


def _controls(count: int) -> Markup:
    """Of use only with the script, which shows them."""
    box = tag("input", type="search", id="filter", autocomplete="off", spellcheck="false", maxlength=120)
    return tag(
        "div",
        tag("label", "Filter by claim or cause ", box),
        tag("button", "Expand all", type="button", id="expand"),
        tag("button", "Collapse all", type="button", id="collapse"),
        tag("output", f"{number(count)} shown", id="shown", for_="filter"),
        class_="controls",
        hidden=True,
    )


def _claim(place: int, example: Example, summary: Summary) -> Markup:
    cause = cause_in_words(example.cause, summary.kind)
    return tag(
        "details",
        tag("summary", _title(example, summary.kind)),
        tag("p", tag("b", f"{cause[0]}. "), example.why, class_="why"),
        _places(example, summary),
        _both(place, example, summary),
        class_="claim",
        id=f"claim-{place}",
    )


def _title(example: Example, kind: str) -> Markup:
    swatch = tag("i", class_=f"swatch s{CAUSES.index(example.cause)}", aria_hidden="true")
    outcome = f"{_outcome(example.before)} → {_outcome(example.after)}"
    if example.before and example.after and example.before.outcome == example.after.outcome:
        outcome = f"{_outcome(example.before)}, outcome kept"
    claim = example.claim_id if example.claim_id is not None else "claim unknown"
    return joined(
        [
            tag("h3", tag("bdi", claim)),
            tag("span", swatch, cause_in_words(example.cause, kind)[0], class_="cause"),
            tag("span", outcome, class_="change"),
        ]
    )


def _outcome(result: ShownResult | None) -> str:
    return "No result" if result is None else OUTCOMES.get(result.outcome, result.outcome)


def _places(example: Example, summary: Summary) -> Markup:
    facts = [f"{place_of(summary)} {example.partition}"]
    facts.append(f"event at {number(example.offset)}" if example.offset is not None else "no such event")
    if example.result_offset is not None:
        facts.append(f"result at {number(example.result_offset)}")
    if example.event_type is not None:
        facts.append(example.event_type)
    if summary.with_phi and example.member_id is not None:
        facts.append(f"member {example.member_id}")
    return tag("p", " · ".join(facts), class_="places")


def _both(place: int, example: Example, summary: Summary) -> Markup:
    before, after = example.before, example.after
    heads = (tag("th", one, scope="col") for one in sides_of(example.cause, summary))
    head = tag("tr", tag("td"), *heads)
    rows = [
        _row("Outcome", tag("b", _outcome(before)), tag("b", _outcome(after))),
        *line_rows(_lines(before), _lines(after), summary.with_phi),
        *_facts(before, after),
    ]
    caption = tag("caption", f"Both explanations, claim {place} of this page", class_="unseen")
    return tag("table", caption, tag("thead", head), tag("tbody", *rows), class_="both")


def _facts(before: ShownResult | None, after: ShownResult | None) -> Iterator[Markup]:
    """What is told of the results; of one that stands alone nothing is marked."""
    for name, of in FACTS:
        if before is not None and after is not None:
            yield _row(name, of(before), of(after))
        else:
            left, right = (of(one) if one is not None else DASH for one in (before, after))
            yield both_sides(name, left, right, "")


def _row(name: str, before: str, after: str) -> Markup:
    return both_sides(name, before, after, "differs" if before != after else "")


def _lines(result: ShownResult | None) -> dict[int, ShownLine] | None:
    return None if result is None else {one.line: one for one in result.lines}
