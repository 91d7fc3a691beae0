"""The kinds of panels with numbers and graphs, each with its choices made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal, TypeAlias

from grafana.source.panel import PLAIN, Panel
from grafana.source.queries import Json, Query, now

Calculation: TypeAlias = Literal["lastNotNull", "mean", "max", "min", "sum"]

_LAST: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}


@dataclass(frozen=True)
class Stat(Panel):
    """One number, as it is now. Its colour says good or bad; ``filled`` colours the whole panel."""

    kind = "stat"
    colours = "thresholds"

    expression: str
    _: KW_ONLY
    filled: bool = False
    mappings: Sequence[Json] = ()
    decimals: int | None = None
    empty: str | None = None
    """What is shown where there is nothing to show."""
    width: int = 4
    height: int = 4

    def asks(self) -> Sequence[Query]:
        """The one value."""
        return [now(self.expression)]

    def field_options(self) -> Json:
        """Words for values and for none, and decimals."""
        mappings = list(self.mappings) or None
        return _only_set(mappings=mappings, decimals=self.decimals, noValue=self.empty)

    def options(self) -> Json:
        """No graph behind the number: it would be of the time range, and the number is of now."""
        shade = "background" if self.filled else "value"
        return {
            "reduceOptions": _LAST,
            "colorMode": "none" if self.steps is PLAIN else shade,
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "value",
            "wideLayout": True,
        }


@dataclass(frozen=True)
class Timeseries(Panel):
    """Lines, or areas where ``stacked``. Steps are dashed lines; ``legend`` adds columns to the legend."""

    kind = "timeseries"

    queries: Sequence[Query]
    _: KW_ONLY
    stacked: bool = False
    logarithmic: bool = False
    legend: Sequence[Calculation] = ()
    minimum: float | None = 0
    maximum: float | None = None
    empty: str | None = None
    """What is shown where there is nothing in the whole time range."""

    def asks(self) -> Sequence[Query]:
        """The queries as given."""
        return self.queries

    def field_options(self) -> Json:
        """How lines are drawn. Gaps stay gaps: nothing was scraped then."""
        return {
            **_only_set(min=None if self.logarithmic else self.minimum, max=self.maximum, noValue=self.empty),
            "custom": {
                "drawStyle": "line",
                "lineInterpolation": "linear",
                "lineWidth": 1,
                "fillOpacity": 60 if self.stacked else 0,
                "showPoints": "never",
                "spanNulls": False,
                "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
                "scaleDistribution": {"type": "log", "log": 10} if self.logarithmic else {"type": "linear"},
                "thresholdsStyle": {"mode": "off" if self.steps is PLAIN else "dashed"},
            },
        }

    def options(self) -> Json:
        """All series in the tooltip, the greatest first."""
        return {
            "legend": {
                "showLegend": True,
                "displayMode": "table" if self.legend else "list",
                "placement": "bottom",
                "calcs": list(self.legend),
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }


@dataclass(frozen=True)
class Heatmap(Panel):
    """A histogram's buckets over time; the darker, the more. Exemplars are points on it."""

    kind = "heatmap"

    query: Query

    def asks(self) -> Sequence[Query]:
        """The rates of the buckets."""
        return [self.query]

    def field_options(self) -> Json:
        """The scale that a heatmap of buckets needs."""
        return {"custom": {"scaleDistribution": {"type": "linear"}}}

    def options(self) -> Json:
        """One hue, since more is neither good nor bad; exemplars in another."""
        return {
            "calculate": False,
            "cellGap": 1,
            "cellValues": {"unit": "cps"},
            "color": {
                "mode": "scheme",
                "scheme": "Blues",
                "scale": "exponential",
                "exponent": 0.5,
                "fill": "dark-blue",
                "reverse": False,
                "steps": 64,
            },
            "exemplars": {"color": "rgba(255,152,48,0.9)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "showValue": "never",
            "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": self.unit},
        }


@dataclass(frozen=True)
class Bars(Panel):
    """A bar for each series as it is now, the longest first."""

    kind = "bargauge"

    expression: str
    legend: str

    def asks(self) -> Sequence[Query]:
        """The values, sorted."""
        return [now(f"sort_desc({self.expression})", self.legend)]

    def field_options(self) -> Json:
        """Counts, from nothing on; one colour, since none of them is good or bad."""
        return {"min": 0, "decimals": 0, "color": {"mode": "fixed", "fixedColor": "blue"}}

    def options(self) -> Json:
        """Names to the left, bars of a fixed height."""
        return {
            "displayMode": "basic",
            "minVizHeight": 16,
            "minVizWidth": 8,
            "maxVizHeight": 28,
            "namePlacement": "left",
            "orientation": "horizontal",
            "reduceOptions": _LAST,
            "showUnfilled": True,
            "sizing": "manual",
            "valueMode": "text",
        }


def _only_set(**options: object) -> Json:
    return {name: value for name, value in options.items() if value is not None}
