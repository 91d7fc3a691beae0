"""From which outcome to which: a picture of ribbons, as thick as there are results, and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from worker.replay.output.report.markup import NOTHING, Markup, joined, tag
from worker.replay.output.report.phrases import DECISIONS, OUTCOMES, number, phrases, some
from worker.replay.output.report.tables import Column, folded, numbers, section, table
from worker.replay.output.summary import Summary
from worker.replay.telling.outcome import NONE

INK = 260
"""Pixels of height that all results share."""
THINNEST = 3.0
"""A ribbon is never thinner, or a handful among a million could not be seen."""
SLOT = 40
"""Least height for an outcome, in pixels, so that its two lines of label stand free."""
GAP = 6

Flows = dict[str, dict[str, int]]


class Flow(Struct, frozen=True):
    """Results with these outcomes on the two sides."""

    before: str
    after: str
    count: int

    @property
    def style(self) -> str:
        """Unchanged ones are quiet; those with nothing on a side are told from other changes."""
        if self.before == self.after:
            return "same"
        return "lost" if NONE in {self.before, self.after} else "moved"


class Stack(Struct):
    """One side's outcomes from top to bottom: where the next ribbon of each begins, and their sizes."""

    names: list[str]
    tops: dict[str, float]
    sizes: dict[str, float]
    counts: dict[str, int]
    height: float


def flow(summary: Summary) -> Markup:
    """The section."""
    flows = listed(summary.counts.outcome_flows, list(OUTCOMES))
    words = phrases(summary)
    changed = _biggest_first(one for one in flows if one.before != one.after)
    rows = ((_name(one.before), _name(one.after), number(one.count)) for one in changed)
    columns = (Column(words.before), Column(words.after), *numbers("Results"))
    return section(
        "flow",
        "From which outcome to which",
        _picture(flows, words.before, words.after)
        if changed
        else tag("p", "Every result keeps its outcome."),
        table("outcome-flows", "Results whose outcome is another", columns, rows) if changed else NOTHING,
        _lines(summary),
    )


def listed(flows: Flows, order: Sequence[str]) -> list[Flow]:
    """Flows that have results, in the order of the names."""
    place = {name: index for index, name in enumerate(order)}
    found = (
        Flow(before, after, count) for before, to in flows.items() for after, count in to.items() if count
    )
    return sorted(
        found, key=lambda one: (place.get(one.before, 99), one.before, place.get(one.after, 99), one.after)
    )


def _biggest_first(flows: Iterable[Flow]) -> list[Flow]:
    return sorted(flows, key=lambda one: -one.count)


def _name(outcome: str) -> str:
    return OUTCOMES.get(outcome, outcome)


def _lines(summary: Summary) -> Markup:
    flows = _biggest_first(listed(summary.counts.line_flows, list(DECISIONS)))
    if not flows:
        return NOTHING
    words = phrases(summary)
    columns = (Column(words.before), Column(words.after), *numbers("Lines"))
    rows = (
        (DECISIONS.get(one.before, one.before), DECISIONS.get(one.after, one.after), number(one.count))
        for one in flows
    )
    caption = f"Lines that differ, by decision{words.among}"
    shown = table("line-flows", caption, columns, rows)
    return shown if len(flows) <= 12 else folded(caption, shown)


def _picture(flows: Sequence[Flow], before: str, after: str) -> Markup:
    total = sum(one.count for one in flows)

    def size(one: Flow) -> float:
        return max(THINNEST, INK * one.count / total)

    left = _stack(flows, size, lambda one: one.before)
    right = _stack(flows, size, lambda one: one.after)
    height = max(left.height, right.height)
    nodes = joined([*_nodes(left, "0", -10, "end"), *_nodes(right, "100%", 10, "start")])
    drawn = tag(
        "svg",
        *_ribbons(flows, size, left, right),
        viewBox=f"0 0 100 {height:.1f}",
        preserveAspectRatio="none",
        width="100%",
        height=f"{height:.1f}",
    )
    moved = sum(one.count for one in flows if one.before != one.after)
    title = tag(
        "title", f"Outcomes, {before.lower()} on the left, {after.lower()} on the right", id="flow-title"
    )
    desc = tag(
        "desc",
        f"{number(moved)} of {some(total, 'result')} change: the table below has them.",
        id="flow-desc",
    )
    picture = tag(
        "svg",
        title,
        desc,
        drawn,
        nodes,
        class_="flow",
        role="img",
        height=f"{height:.1f}",
        aria_labelledby="flow-title flow-desc",
    )
    heads = tag("p", tag("b", before), tag("b", after), class_="heads", aria_hidden="true")
    return tag("figure", heads, picture, tag("figcaption", _legend(flows)))


def _legend(flows: Sequence[Flow]) -> Markup:
    keys = (
        ("same", "keeps its outcome"),
        ("moved", "another outcome"),
        ("lost", "a result on one side only"),
    )
    shown = (
        tag("span", tag("i", class_=f"swatch {style}", aria_hidden="true"), words)
        for style, words in keys
        if any(one.style == style for one in flows)
    )
    told = "Ribbons are as thick as there are results, but never too thin to be seen."
    return joined([tag("span", *shown, class_="legend"), " ", told])


def _stack(flows: Sequence[Flow], size: Callable[[Flow], float], side: Callable[[Flow], str]) -> Stack:
    sizes: dict[str, float] = {}
    counts: dict[str, int] = {}
    for one in flows:
        sizes[side(one)] = sizes.get(side(one), 0.0) + size(one)
        counts[side(one)] = counts.get(side(one), 0) + one.count
    names = [
        *(name for name in OUTCOMES if name in sizes),
        *(name for name in sorted(sizes) if name not in OUTCOMES),
    ]
    tops, down = {}, 0.0
    for name in names:
        slot = max(sizes[name], SLOT)
        tops[name] = down + (slot - sizes[name]) / 2
        down += slot + GAP
    return Stack(names, tops, sizes, counts, down)


def _nodes(stack: Stack, x: str, aside: int, anchor: str) -> Iterator[Markup]:
    """A bar for each outcome, at the edge of the picture, and its name and number beside it."""
    for name in stack.names:
        top, size = stack.tops[name], stack.sizes[name]
        shift = -5 if anchor == "end" else 0
        yield tag(
            "rect", x=x, y=f"{top:.1f}", width=5, height=f"{size:.1f}", transform=f"translate({shift} 0)"
        )
        middle = top + size / 2
        yield tag("text", _name(name), x=x, dx=aside, y=f"{middle - 3:.1f}", text_anchor=anchor)
        count = number(stack.counts[name])
        yield tag("text", count, x=x, dx=aside, y=f"{middle + 13:.1f}", text_anchor=anchor, class_="count")


def _ribbons(flows: Sequence[Flow], size: Callable[[Flow], float], left: Stack, right: Stack) -> list[Markup]:
    """Changed ones are drawn last, over the others."""
    drawn: dict[str, list[Markup]] = {"same": [], "moved": [], "lost": []}
    begins, ends = dict(left.tops), dict(right.tops)
    for one in flows:
        thick, y, to = size(one), begins[one.before], ends[one.after]
        begins[one.before] += thick
        ends[one.after] += thick
        path = (
            f"M0 {y:.1f}C50 {y:.1f} 50 {to:.1f} 100 {to:.1f}V{to + thick:.1f}"
            f"C50 {to + thick:.1f} 50 {y + thick:.1f} 0 {y + thick:.1f}Z"
        )
        told = tag("title", f"{_name(one.before)} → {_name(one.after)}: {some(one.count, 'result')}")
        drawn[one.style].append(tag("path", told, d=path, class_=one.style))
    return [*drawn["same"], *drawn["moved"], *drawn["lost"]]
