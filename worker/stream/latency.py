"""How long claims wait: from the time of an event to its committed result."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, get_args

from worker.adjudication.result import Outcome
from worker.stream.distribution import Distribution
from worker.stream.results import trace_of

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from worker.stream.deciding import Decided

EDGES_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)
"""One of them is the objective of ``grafana/rules``: 5 s."""


class Latency:
    """The histogram by outcome, with the trace of a batch's slowest result as an exemplar."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waits = Distribution(
            "mms_end_to_end_latency_seconds",
            "From the event's time to its committed result.",
            EDGES_S,
            registry,
            ("outcome",),
        )
        for outcome in get_args(Outcome):
            self._waits.of(outcome)

    def observe(self, decided: Decided, now: float) -> None:
        """Observe each result of a batch that was committed at ``now``, which is Unix time.

        Results whose event has no time are passed over.
        """
        slowest: tuple[float, str, str] | None = None
        for record, (outcome, happened) in zip(decided.results, decided.tally.happened, strict=True):
            began = None if happened is None else _timestamp(happened)
            if began is None:
                continue
            waited = max(0.0, now - began)
            self._waits.of(outcome).add(waited)
            if (slowest is None or waited > slowest[0]) and (trace := trace_of(record)) is not None:
                slowest = waited, outcome, trace
        if slowest is not None:
            waited, outcome, trace = slowest
            self._waits.of(outcome).exemplify(waited, trace, now)


def _timestamp(time: str) -> float | None:
    try:
        return datetime.fromisoformat(time.upper()).timestamp()
    except ValueError:  # a leap second
        return None
