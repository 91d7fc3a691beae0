"""What panels ask of Prometheus: selectors, rates, increases and the queries around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Format: TypeAlias = Literal["time_series", "table", "heatmap"]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
"""Whichever Prometheus is chosen above the panels."""

WORKERS = 'job=~"$job", instance=~"$instance"'
"""Matchers for the workers that are chosen above the panels."""

WORKER_JOB = 'job="mms-worker"'
"""How Prometheus's configuration calls the workers."""

FIRING = 'ALERTS{alertstate="firing", alertname=~"Mms.*"}'
"""The alerts on the workers that are firing, of every severity."""


@dataclass(frozen=True)
class Query:
    """One PromQL query. ``now`` asks for the last value alone, and so never shows one that has ended."""

    expression: str
    legend: str = "__auto"
    now: bool = False
    exemplars: bool = False
    form: Format = "time_series"

    def json(self, ref: str) -> Json:
        """The query as a panel's target; ``ref`` is its letter within the panel."""
        return {
            "refId": ref,
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": self.expression,
            "legendFormat": self.legend,
            "format": self.form,
            "instant": self.now,
            "range": not self.now,
            "exemplar": self.exemplars,
        }


def now(expression: str, legend: str = "__auto") -> Query:
    """A query for the value at the end of the time range."""
    return Query(expression, legend, now=True)


def cells(expression: str) -> Query:
    """A query for a table: a row for each series, a column for each label."""
    return Query(expression, now=True, form="table")


def selected(metric: str, *matchers: str) -> str:
    """The metric's series of the chosen workers, ``matchers`` beside."""
    return f"{metric}{{{', '.join((WORKERS, *matchers))}}}"


def of_workers(metric: str) -> str:
    """The same for a metric that other programs have too: not all jobs that are chosen above are workers."""
    return selected(metric, WORKER_JOB)


def per_second(metric: str, *matchers: str, by: str = "") -> str:
    """How fast a counter grows, summed over the chosen workers, or ``by`` these labels."""
    return _sum(f"rate({selected(metric, *matchers)}[$__rate_interval])", by)


def in_range(metric: str, *matchers: str, by: str = "") -> str:
    """How much a counter grew in the dashboard's time range, summed over the chosen workers."""
    return _sum(f"increase({selected(metric, *matchers)}[$__range])", by)


def mean(histogram: str, by: str = "") -> str:
    """The mean of what a histogram has observed lately."""
    return f"{per_second(f'{histogram}_sum', by=by)} / {per_second(f'{histogram}_count', by=by)}"


def quantile(share: float, histogram: str, *matchers: str, by: str = "") -> str:
    """The value below which a ``share`` of what a histogram observed lately lies; ``by`` keeps labels."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, {per_second(f'{histogram}_bucket', *matchers, by=labels)})"


def quantiles(histogram: str) -> tuple[Query, ...]:
    """Half, 95 and 99 of a hundred are below these; the last with exemplars."""
    return (
        Query(quantile(0.5, histogram), "p50"),
        Query(quantile(0.95, histogram), "p95"),
        Query(quantile(0.99, histogram), "p99", exemplars=True),
    )


def _sum(expression: str, by: str) -> str:
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"
