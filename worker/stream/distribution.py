"""A Prometheus histogram that is told of a whole batch at once.

prometheus-client's own takes a lock and goes through its children at every observation. What is observed of
every record costs a search in a list here, and takes no lock: it is told and read on the event loop's thread.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client import CollectorRegistry


class Observed:
    """What was observed under one set of label values."""

    def __init__(self, edges: Sequence[float]) -> None:
        self._edges = edges
        self._counts = [0] * len(edges)
        self._exemplars: list[Exemplar | None] = [None] * len(edges)
        self._sum = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """Count a value, as often as it was observed."""
        self._counts[bisect_left(self._edges, value)] += times
        self._sum += value * times

    def exemplify(self, value: float, trace_id: str, seen: float) -> None:
        """Let a trace stand for the bucket of ``value``, in place of one before; ``seen`` is Unix time."""
        self._exemplars[bisect_left(self._edges, value)] = Exemplar({"trace_id": trace_id}, value, seen)

    @property
    def sum(self) -> float:
        """Sum of all values."""
        return self._sum

    def buckets(self) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
        """Of each bucket its upper edge, how many values are up to it, and an exemplar if there is one."""
        return [
            (edge, count) if exemplar is None else (edge, count, exemplar)
            for edge, count, exemplar in zip(
                ["+Inf" if edge == math.inf else str(float(edge)) for edge in self._edges],
                accumulate(self._counts),
                self._exemplars,
                strict=True,
            )
        ]


class Distribution(Collector):
    """A histogram with labels; ``of`` makes its children."""

    def __init__(
        self,
        name: str,
        text: str,
        edges: Iterable[float],
        registry: CollectorRegistry,
        labels: Sequence[str] = (),
    ) -> None:
        """``edges`` are the upper edges of the buckets, ascending; one of infinity is added."""
        self._name = name
        self._text = text
        self._edges = (*edges, math.inf)
        self._labels = labels
        self._observed: dict[tuple[str, ...], Observed] = {}
        registry.register(self)

    def of(self, *values: str) -> Observed:
        """What is observed under these label values."""
        observed = self._observed.get(values)
        if observed is None:
            observed = self._observed[values] = Observed(self._edges)
        return observed

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The family, for the registry."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for values, observed in self._observed.items():
            family.add_metric(values, observed.buckets(), observed.sum)
        yield family
