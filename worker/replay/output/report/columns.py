"""Numbers over time as stacked columns, with a legend and the same numbers as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from worker.replay.output.report.calendar import Period, Periods
from worker.replay.output.report.markup import NOTHING, Markup, joined, tag
from worker.replay.output.report.phrases import number
from worker.replay.output.report.tables import Column, folded, numbers, table

HEIGHT = 180
"""Pixels of the tallest column."""


class Series(Struct, frozen=True):
    """What one colour stands for: names of counts, added up."""

    label: str
    style: str
    names: tuple[str, ...]

    def of(self, period: Period) -> int:
        """What a period has of it."""
        return sum(period.counts.get(name, 0) for name in self.names)


class Chart(Struct, frozen=True):
    """What to draw; ``name`` is unique on the page, ``what`` is counted."""

    name: str
    title: str
    what: str
    series: Sequence[Series]
    over: Periods


def columns(chart: Chart) -> Markup:
    """The figure and, folded, its numbers."""
    periods = chart.over.periods
    if len(periods) < 2:
        return NOTHING  # one day has no course: the tables beside it say all
    top = _round_up(max(sum(one.of(period) for one in chart.series) for period in periods))
    title = tag("title", f"{chart.title}, a column for each {chart.over.unit}", id=f"{chart.name}-title")
    span = f"From {periods[0].label} to {periods[-1].label}; the table below has the numbers."
    picture = tag(
        "svg",
        title,
        tag("desc", span, id=f"{chart.name}-desc"),
        *_grid(top),
        *(part for place, period in enumerate(periods) for part in _column(chart, place, period, top)),
        *_labels(periods),
        class_="columns",
        role="img",
        height=HEIGHT + 24,
        aria_labelledby=f"{chart.name}-title {chart.name}-desc",
    )
    heading = tag("h3", f"{chart.title}, by {chart.over.unit}")
    return joined([tag("figure", heading, tag("figcaption", _legend(chart)), picture), _table(chart)])


def _legend(chart: Chart) -> Markup:
    shown = (
        tag("span", tag("i", class_=f"swatch {one.style}", aria_hidden="true"), one.label)
        for one in chart.series
    )
    return tag("span", *shown, class_="legend")


def _grid(top: int) -> Iterator[Markup]:
    for value in (0, top // 2, top):
        y = f"{HEIGHT - HEIGHT * value / top:.1f}"
        yield tag("line", x1="0", x2="100%", y1=y, y2=y)
        yield tag("text", number(value), x=-8, y=y, dy=4, text_anchor="end")


def _column(chart: Chart, place: int, period: Period, top: int) -> Iterator[Markup]:
    band = 100 / len(chart.over.periods)
    width = min(band * 0.78, 6.0)
    x = f"{band * (place + 0.5) - width / 2:.2f}%"
    up = float(HEIGHT)
    for one in chart.series:
        if count := one.of(period):
            tall = max(1.5, HEIGHT * count / top)
            up -= tall
            told = tag("title", f"{period.label}: {one.label} {number(count)}")
            yield tag(
                "rect",
                told,
                x=x,
                y=f"{up:.1f}",
                width=f"{width:.2f}%",
                height=f"{tall:.1f}",
                class_=one.style,
            )


def _labels(periods: Sequence[Period]) -> Iterator[Markup]:
    """The first, the last and the middle one: more would not fit a small screen."""
    last = len(periods) - 1
    for place in sorted({0, last // 2 if last > 2 else 0, last}):
        x = f"{100 * (place + 0.5) / len(periods):.2f}%"
        anchor = "start" if place == 0 and last > 6 else "end" if place == last > 6 else "middle"
        yield tag("text", periods[place].label, x=x, y=HEIGHT + 18, text_anchor=anchor)


def _table(chart: Chart) -> Markup:
    heads = (Column(chart.over.unit.capitalize()), *numbers(*(one.label for one in chart.series), "All"))
    rows = ([one.label, *_cells(chart.series, one)] for one in chart.over.periods if one.counts)
    caption = f"{chart.title}, by {chart.over.unit}: {chart.what}"
    return folded("The numbers of this picture", table(chart.name, caption, heads, rows))


def _cells(series: Sequence[Series], period: Period) -> list[str]:
    counts = [one.of(period) for one in series]
    return [number(count) for count in (*counts, sum(counts))]


def _round_up(value: int) -> int:
    """The next of 2, 4, 6, 8, 10, 12, 16, 20, 40, 60, …: a scale whose half is a whole number too."""
    step = 1
    while value > 20 * step:
        step *= 10
    return next(one * step for one in (2, 4, 6, 8, 10, 12, 16, 20) if one * step >= value)
