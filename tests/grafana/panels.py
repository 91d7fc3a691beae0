"""The dashboards as Grafana would load them, and what their panels ask of Prometheus."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DASHBOARDS = Path(__file__).parents[2] / "grafana" / "dashboards"

_VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)")


class PanelExpression(NamedTuple):
    """One query of a panel."""

    dashboard: str
    """The dashboard's uid, ``mms-overview`` say."""
    panel: str
    """The panel's title; unique in its dashboard."""
    expression: str
    """PromQL, without any variable of Grafana's."""


def expressions(rate_interval: str = "1m", time_range: str = "5m", week: str = "1w") -> list[PanelExpression]:
    """What every panel of every dashboard asks, with Grafana's variables replaced.

    Durations are Prometheus's (``15s``, ``1m``). ``rate_interval`` is put for ``$__rate_interval`` (four
    scrape intervals at least), ``time_range`` for ``$__range``. Every other variable (``$job``,
    ``$instance``, ``$topic``) becomes ``.*``.
    """
    values = {"__rate_interval": rate_interval, "__range": time_range, "__interval": rate_interval}
    return [
        PanelExpression(
            dashboard["uid"],
            panel["title"],
            replaced(target["expr"], values),
        )
        for dashboard in dashboards()
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def dashboards() -> list[dict[str, Any]]:
    """Every dashboard that is provisioned, in the order of their files' names."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(DASHBOARDS.glob("*.json"))]


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels of a dashboard that show data, those of folded rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def replaced(expression: str, values: Mapping[str, str]) -> str:
    """The expression with each variable's value in its place, ``.*`` for one that is not in ``values``."""
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], ".*"), expression)
