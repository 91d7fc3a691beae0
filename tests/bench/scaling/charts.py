"""A figure as SVG: the same figures, the same bytes.

Text stays text, in whichever of some fonts of like width the reader has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, NullLocator

from tests.bench.scaling.figures import Figure, Panel, Series

STYLE = {
    "svg.hashsalt": "scaling",  # ids are otherwise drawn at random
    "svg.fonttype": "none",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "axes.prop_cycle": mpl.cycler(color=["#0072b2", "#d55e00", "#009e73"]),  # told apart by the colour-blind
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
MARKS = ("o", "s", "^")
NOTHING = dict.fromkeys(("Creator", "Date", "Format", "Type"))
ACROSS = 3
WIDTH_IN, HEIGHT_IN = 3.4, 2.9
"""Of a panel."""


def draw(figure: Figure, file: Path) -> None:
    """Draw the panels side by side: medians, and whiskers from the lowest repetition to the highest."""
    across = min(ACROSS, len(figure.panels))
    down = -(-len(figure.panels) // across)
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(WIDTH_IN * across, HEIGHT_IN * down + 0.4), layout="constrained")
        canvas.suptitle(figure.title, fontsize=11)
        places = canvas.subplots(down, across, squeeze=False).flat
        for axes, panel in zip(places, figure.panels, strict=False):
            _draw_panel(axes, panel, figure)
        canvas.savefig(file, format="svg", metadata=NOTHING)


def _draw_panel(axes: Axes, panel: Panel, figure: Figure) -> None:
    for one, mark in zip(panel.series, MARKS, strict=False):
        _draw_series(axes, one, mark)
    if panel.has_guide:
        _draw_guide(axes, panel.series[0])
    axes.set_title(panel.unit, loc="left")
    axes.set_xlabel(figure.x)
    axes.grid(visible=True, which="major")
    if figure.is_logarithmic:
        axes.set(xscale="log", yscale="log")
    _label(axes, panel, is_logarithmic=figure.is_logarithmic)
    if panel.has_guide or any(one.name for one in panel.series):
        axes.legend(loc="best")


def _draw_series(axes: Axes, one: Series, mark: str) -> None:
    medians = [point.median for point in one.points]
    whiskers = (
        [point.median - point.low for point in one.points],
        [point.high - point.median for point in one.points],
    )
    axes.errorbar(
        [point.x for point in one.points],
        medians,
        whiskers,
        label=one.name,
        marker=mark,
        markersize=4,
        linewidth=1.2,
        capsize=2.5,
    )


def _draw_guide(axes: Axes, one: Series) -> None:
    """What growth in proportion would be: dashes, behind all else."""
    first, last = one.points[0], one.points[-1]
    ends = [first.median, first.median * last.x / first.x]
    axes.plot([first.x, last.x], ends, "--", color="#888888", linewidth=1, zorder=1, label="in proportion")


def _label(axes: Axes, panel: Panel, *, is_logarithmic: bool) -> None:
    """Ticks where something was measured, and numbers written out."""
    measured = sorted({point.x for one in panel.series for point in one.points})
    axes.set_xticks(measured, [_number(x, 0) for x in measured])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(_number))
    highest = max(point.high for one in panel.series for point in one.points)
    lowest = min(point.low for one in panel.series for point in one.points)
    if not is_logarithmic:
        axes.set_ylim(0, highest * 1.15)
        axes.set_xlim(measured[0] - 0.5, measured[-1] + 0.5)
        return
    low, high, ticks = _scale(lowest, highest)
    axes.set_ylim(low, high)
    axes.set_yticks(ticks)
    axes.yaxis.set_minor_locator(NullLocator())


def _scale(lowest: float, highest: float) -> tuple[float, float, Sequence[float]]:
    """Ends and ticks of a logarithmic axis of a decade at the least: noise is not to look like growth."""
    if highest / lowest < 10:
        middle = (highest * lowest) ** 0.5
        lowest, highest = middle / 10**0.5, middle * 10**0.5
    low, high = lowest / 1.25, highest * 1.25
    steps = (1, 2, 5) if high / low < 200 else (1,)
    ticks = [step * 10.0**power for power in range(-3, 10) for step in steps]
    return low, high, [tick for tick in ticks if low <= tick <= high]


def _number(value: float, _: object) -> str:
    """Written short: thousands and millions by their letter."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"
