"""Every metric that there is. Names and labels are a contract with dashboards and alerts.

Labels come from closed sets: topics, partitions, reasons, outcomes, rules. Never a claim, a member, a
provider or free text. Counting is done once a committed batch, on children that are bound once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics

from worker.adjudication.claim import DATA_TYPES
from worker.adjudication.decode import Reason
from worker.adjudication.history import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from worker.stream.deciding import Decided
    from worker.stream.histories import Size

Metric = TypeVar("Metric", Counter, Histogram)
TransactionResult: TypeAlias = Literal["committed", "failed"]
RestartReason: TypeAlias = Literal["error", "timeout", "fenced"]

disable_created_metrics()  # type: ignore[no-untyped-call]  # half of all series, and no one asks for them

LATENCIES_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)
DURATIONS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
RESTORES_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class Metrics:
    """The metrics of one worker. ``now`` is the wall clock, for latencies since an event's own time."""

    def __init__(self, input_topic: str, now: Callable[[], datetime] = _wall_clock) -> None:
        self.registry = CollectorRegistry()
        self._topic = input_topic
        self._now = now
        self._consumed = self._counter("records_consumed", "Input records committed.", "topic").labels(
            input_topic
        )
        self._events = _bound(self._counter("events", "Decoded events.", "type"))
        self._decisions = _bound(self._counter("decisions", "Results published.", "outcome"))
        self._lines = _bound(
            self._counter(
                "line_decisions", "Lines decided; carc is empty without an adjustment.", "decision", "carc"
            )
        )
        self._findings = _bound(
            self._counter("findings", "Determining findings in results.", "rule", "verdict")
        )
        self._policies = _bound(
            self._counter(
                "policy_applied", "Results that a policy version took part in.", "policy", "version"
            )
        )
        self._again = _bound(
            self._counter(
                "readjudications", "Results of claims decided again, by what made them so.", "cause"
            )
        )
        self._evicted = self._counter("history_evictions", "Claims that fell out of the look-back.")
        self._members = self._gauge("history_members", "Members whose history is in memory.", "partition")
        self._bytes = self._gauge("history_bytes", "Size of the stored histories in memory.", "partition")
        self._restores = self._histogram(
            "restore_duration_seconds", "Time to restore a partition's histories.", RESTORES_S
        )
        self._dead = _bound(self._counter("dead_letters", "Dead letters written.", "reason"))
        self._transactions = _bound(self._counter("transactions", "Transactions ended, by how.", "result"))
        self._restarts = _bound(
            self._counter("lane_restarts", "Lanes that threw their producer away and began again.", "reason")
        )
        self._rebalances = self._counter("rebalances", "Assignments received from the group.")
        stages = self._histogram(
            "batch_duration_seconds", "Time that a batch spends in a stage.", DURATIONS_S, "stage"
        )
        self._deciding = stages.labels("decide")
        self._committing = stages.labels("commit")
        self._sizes = self._histogram("batch_records", "Records in a batch.", SIZES)
        self._commits = self._histogram(
            "commit_duration_seconds", "From first byte sent to commit.", DURATIONS_S
        )
        self._latency = _bound(
            self._histogram(
                "end_to_end_latency_seconds",
                "From the event's time to its committed result.",
                LATENCIES_S,
                "outcome",
            )
        )
        self._lag = self._gauge(
            "consumer_lag_records", "Stable records not committed yet.", "topic", "partition"
        )
        self._assigned = self._gauge("assigned_partitions", "Input partitions that this worker holds.")
        self._last_commit = self._gauge(
            "last_commit_timestamp_seconds", "Unix time of the last committed batch."
        )
        self._code_sets = self._gauge(
            "code_set_info", "Code-set releases loaded; always 1.", "name", "release"
        )
        self._build = Info("mms_build", "Version and digests that decide.", registry=self.registry)
        self._bind_closed_sets()

    def batch(self, decided: Decided, seconds: float) -> None:
        """Count a batch whose transaction committed in ``seconds``."""
        tally = decided.tally
        self._consumed.inc(decided.records)
        for family, counts in (
            (self._events, tally.events), (self._decisions, tally.outcomes), (self._dead, tally.rejected),
            (self._again, tally.readjudications),
        ):  # fmt: skip
            for label, count in counts.items():
                family(label).inc(count)
        for family, pairs in (
            (self._lines, tally.lines), (self._findings, tally.findings), (self._policies, tally.policies),
        ):  # fmt: skip
            for labels, count in pairs.items():
                family(*labels).inc(count)
        self._evicted.inc(tally.evicted)
        self._transactions("committed").inc()
        self._sizes.observe(decided.records)
        self._deciding.observe(decided.seconds)
        self._committing.observe(seconds)
        self._commits.observe(seconds)
        now = self._now().timestamp()
        self._last_commit.set(now)
        for outcome, happened in tally.happened:
            began = _timestamp(happened)
            if began is not None:
                self._latency(outcome).observe(max(0.0, now - began))

    def lane_restarted(self, reason: RestartReason, *, in_transaction: bool) -> None:
        """Count a lane that begins again, and the transaction whose end is unknown, if there is one."""
        self._restarts(reason).inc()
        if in_transaction:
            self._transactions("failed").inc()

    def rebalanced(self) -> None:
        """Count an assignment."""
        self._rebalances.inc()

    def assigned(self, partitions: int) -> None:
        """Set how many input partitions this worker holds."""
        self._assigned.set(partitions)

    def lag(self, partition: int, records: int) -> None:
        """Set how many records of a partition are stable and not committed yet."""
        self._lag.labels(self._topic, str(partition)).set(records)

    def restored(self, seconds: float) -> None:
        """Count a partition whose histories were restored in ``seconds``."""
        self._restores.observe(seconds)

    def histories(self, partition: int, size: Size) -> None:
        """Set how much of a partition's histories is in memory."""
        self._members.labels(str(partition)).set(size.members)
        self._bytes.labels(str(partition)).set(size.bytes)

    def unassigned(self, partition: int) -> None:
        """Forget the series of a partition that is another worker's now."""
        self._lag.remove(self._topic, str(partition))
        self._members.remove(str(partition))
        self._bytes.remove(str(partition))

    def loaded(
        self, version: str, policy_digest: str, codes_digest: str, releases: Iterable[tuple[str, str]]
    ) -> None:
        """Say what decides: the package's version, the digests, and each release of each code set."""
        self._build.info({"version": version, "policy_digest": policy_digest, "codes_digest": codes_digest})
        for name, release in releases:
            self._code_sets.labels(name, release).set(1)

    def _bind_closed_sets(self) -> None:
        """Make the series of small closed sets now: a rate over a counter needs its zero."""
        for event_type in DATA_TYPES:
            self._events(event_type)
        for reason in get_args(Reason):
            self._dead(reason)
        for outcome in ("pay", "deny", "partial", "pend", "void", "out_of_scope"):
            self._decisions(outcome)
        for cause in get_args(Change):
            self._again(cause)
        for result in get_args(TransactionResult):
            self._transactions(result)
        for why in get_args(RestartReason):
            self._restarts(why)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"mms_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"mms_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"mms_{name}", text, labels, registry=self.registry, buckets=buckets)


def _bound(metric: Metric) -> Callable[..., Metric]:
    """The children of a metric by their label values, each bound once."""
    return cache(metric.labels)


def _timestamp(time: str) -> float | None:
    try:
        return datetime.fromisoformat(time.upper()).timestamp()
    except ValueError:  # a leap second
        return None
