"""Outcomes before and after, as bars with their numbers."""

from __future__ import annotations

from worker.devkit.report import MEANINGS
from worker.replay.output.report.markup import Markup, tag
from worker.replay.output.report.phrases import OUTCOMES, in_order, number, phrases, share
from worker.replay.output.report.tables import section
from worker.replay.output.summary import Summary


def outcomes(summary: Summary) -> Markup:
    """The section: a table whose numbers are drawn as bars too; one side only where both are the same."""
    words, counts = phrases(summary), summary.counts
    sides = {words.before: counts.outcomes_before, words.after: counts.outcomes_after}
    if counts.outcomes_before == counts.outcomes_after and not counts.results_differing:
        sides = {"Results": counts.outcomes_after}
    longest = max(1, *(count for side in sides.values() for count in side.values()))
    names = in_order(OUTCOMES, {name for side in sides.values() for name in side})
    head = tag("tr", *(tag("th", one, scope="col") for one in ("Outcome", *sides)))
    rows = (
        tag(
            "tr",
            tag("th", OUTCOMES.get(name, name), tag("small", MEANINGS.get(name, "")), scope="row"),
            *(
                _bar(side, name, longest, f"side{place}")
                for place, side in enumerate(sides.values(), 2 - len(sides))
            ),
        )
        for name in names
    )
    shown = tag(
        "table", tag("caption", "Results by outcome"), tag("thead", head), tag("tbody", *rows), class_="bars"
    )
    if len(sides) == 1:
        return section("outcomes", "Outcomes, the same on both sides", shown)
    return section("outcomes", "Outcomes before and after", tag("p", words.sides), shown)


def _bar(side: dict[str, int], name: str, longest: int, style: str) -> Markup:
    count = side.get(name, 0)
    width = f"{100 * count / longest:.2f}%"
    rect = tag("rect", width=width, height="100%", rx=2, class_=style)
    drawn = tag("svg", rect, class_="bar", height=10, aria_hidden="true", focusable="false")
    return tag("td", tag("b", number(count)), " ", tag("small", share(count, sum(side.values()))), drawn)
