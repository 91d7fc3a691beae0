"""A figure as a table: what was measured down, what varies across; medians, and how repetitions differ."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from tests.bench.scaling.figures import Figure, Series


def for_terminal(figure: Figure) -> Table:
    head, rows = _cells(figure)
    table = Table(title=figure.title, title_justify="left", box=None)
    for number, cell in enumerate(head):
        table.add_column(cell, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    return table


def in_markdown(figure: Figure) -> str:
    head, rows = _cells(figure)
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def _cells(figure: Figure) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    values = sorted({point.x for panel in figure.panels for one in panel.series for point in one.points})
    head = [figure.x, *(f"{x:,}" for x in values), "spread"]
    rows = [
        [f"{panel.unit}: {one.name}" if one.name else panel.unit, *_medians(one, values), _spread(one)]
        for panel in figure.panels
        for one in panel.series
    ]
    return head, rows


def _medians(series: Series, values: Sequence[int]) -> list[str]:
    by = {point.x: point.median for point in series.points}
    return [_number(by[x]) if x in by else "" for x in values]


def _spread(series: Series) -> str:
    """From the lowest repetition to the highest, of the median: the widest of the row."""
    return f"{max((point.high - point.low) / point.median for point in series.points):.0%}"


def _number(value: float) -> str:
    """Three digits that count, or all of those before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
