"""Every metric that an expression may name, and the labels that it has."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tests.grafana.expressions import LostLabelError, labels_in, names_in
from tests.grafana.questions import rules
from worker.replay.output.metrics import families
from worker.stream.distribution import Distribution
from worker.stream.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_TARGETS = frozenset(["job", "instance"])
"""What Prometheus adds to all that it scrapes."""
OF_PROMETHEUS: Mapping[str, frozenset[str]] = {
    "up": frozenset(),
    "ALERTS": frozenset(["alertname", "alertstate", "severity"]),
}
ENDINGS: Mapping[str, tuple[str, ...]] = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
}
"""What is put behind a family's name for its series."""


@cache
def of_workers() -> Mapping[str, frozenset[str]]:
    """The series of a worker, by name, with their labels; asked of its registry."""
    found: dict[str, frozenset[str]] = {}
    for collector in Metrics("claims").registry._collector_to_names:
        match collector:
            case Distribution():
                labels = frozenset(collector._labels)
            case _:
                labels = frozenset(getattr(collector, "_labelnames", ()))
        for family in collector.collect():
            for end in ENDINGS.get(family.type, ("",)):
                found[family.name + end] = labels | ({"le"} if end == "_bucket" else set())
    return found


@cache
def of_replays() -> Mapping[str, frozenset[str]]:
    """The series that replays push."""
    return {name: frozenset(labels) for name, labels in families().items()}


@cache
def recorded() -> Mapping[str, str]:
    """The expression of each recording rule, by its name."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def read_by(expression: str) -> set[str]:
    """The metrics that an expression reads, and those that recording rules read for it."""
    names = names_in(expression)
    return names.union(*(read_by(recorded()[name]) for name in names & set(recorded())))


def unknown_in(expression: str) -> list[str]:
    """What an expression names that there is not: metrics, and labels of metrics.

    Raises ``ValueError`` where it is not PromQL, or asks for a label that is gone by then.
    """
    return [
        f"{name}{{{label}}}" if label else name
        for name, labels in labels_in(expression).items()
        for label in sorted({"", *labels})
        if not (_has(name, label) if label else _is_known(name))
    ]


def _is_known(name: str) -> bool:
    return any(name in known for known in (of_workers(), of_replays(), recorded(), OF_PROMETHEUS))


def _has(name: str, label: str) -> bool:
    if name in recorded():
        return _keeps(recorded()[name], label)
    for known in (of_workers(), of_replays(), OF_PROMETHEUS):
        if name in known:
            return label in known[name] | OF_TARGETS
    return False


def _keeps(expression: str, label: str) -> bool:
    """Whether what an expression results in still has a label."""
    try:
        return not unknown_in(f"sum by ({label}) ({expression})")
    except LostLabelError:
        return False
