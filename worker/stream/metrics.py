"""Every metric that there is. Names and labels are a contract with dashboards and alerts.

Labels come from closed sets: topics, partitions, reasons, outcomes, rules. Never a claim, a member, a
provider or free text. Counting is done once a committed batch, how far a partition is behind once a second;
what only a scrape asks for is worked out when it asks.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from worker.adjudication.claim import DATA_TYPES
from worker.adjudication.decode import Reason
from worker.adjudication.history import Change
from worker.adjudication.result import Outcome
from worker.stream.distribution import Distribution
from worker.stream.latency import Latency
from worker.stream.tally import MOHS_PROCEDURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.stream.core import Core
    from worker.stream.deciding import Decided
    from worker.stream.histories import Size

Metric = TypeVar("Metric", Counter, Histogram)
TransactionResult: TypeAlias = Literal["committed", "failed"]
RestartReason: TypeAlias = Literal["error", "timeout", "fenced"]

disable_created_metrics()  # type: ignore[no-untyped-call]  # half of all series, and no one asks for them

DURATIONS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
DECISIONS_S = (2e-5, 3e-5, 5e-5, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.5)
RESTORES_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300)
DAY_S = 86_400
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class Metrics:
    """The metrics of one worker. ``now`` is the wall clock, for latencies since an event's own time."""

    def __init__(self, input_topic: str, now: Callable[[], datetime] = _wall_clock) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
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
        self._needed = _bound(
            self._counter(
                "facts_needed", "Pended lines in results, by a fact that could settle them.", "fact"
            )
        )
        self._units = _bound(
            self._counter("mohs_units_billed", "Units of Mohs surgery on submitted claims.", "procedure")
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
        self._sending = stages.labels("send")
        self._committing = stages.labels("commit")
        self._sizes = self._histogram("batch_records", "Records in a batch.", SIZES)
        self._commits = self._histogram(
            "commit_duration_seconds", "From first byte sent to commit.", DURATIONS_S
        )
        self._decision = Distribution(
            "mms_decision_duration_seconds",
            "Processor time to decide a record: the mean of its batch, once a record.",
            DECISIONS_S,
            self.registry,
        ).of()
        self._latency = Latency(self.registry)
        self._lag = self._gauge(
            "consumer_lag_records", "Stable records not committed yet.", "topic", "partition"
        )
        self._lag_s = self._gauge(
            "consumer_lag_seconds", "Age of the oldest record not committed yet.", "topic", "partition"
        )
        self._stable = self._gauge(
            "stable_offset", "Offset behind the last stable input record.", "topic", "partition"
        )
        self._unstable = self._gauge(
            "unstable_records", "Input records held up by an open transaction.", "topic", "partition"
        )
        self._pended_since: dict[int, int] = {}
        self._gauge(
            "oldest_pend_seconds", "Since the date of receipt of the claim that has waited longest."
        ).set_function(self._oldest_pend_s)
        self._partitions = self._gauge("partitions", "Partitions that the input topic is to have.")
        self._assigned = self._gauge("assigned_partitions", "Input partitions that this worker holds.")
        self._working = self._gauge(
            "working_partitions", "Of these, partitions whose lane is open: restored, and deciding."
        )
        self._ready = self._gauge("ready", "Whether /readyz says yes.")
        self._last_commit = self._gauge(
            "last_commit_timestamp_seconds", "Unix time of the last committed batch."
        )
        self._code_sets = self._gauge(
            "code_set_info", "Code-set releases loaded; always 1.", "name", "release"
        )
        self._code_set_ends = self._gauge(
            "code_set_expiry_timestamp_seconds",
            "Unix time from which a newer release than those loaded should be in force.",
            "name",
        )
        self._policy_ends = self._gauge(
            "policy_expiry_timestamp_seconds",
            "Unix time at which the newest version ends; +Inf of an open-ended one.",
            "policy",
        )
        self._dead_share = self._gauge(
            "dead_letter_share", "Share of dead letters among the records of the breaker's window."
        )
        self._dead_limit = self._gauge(
            "dead_letter_limit", "Share of dead letters above which the breaker stops the worker."
        )
        self._breaker = self._gauge("breaker_open", "Whether the breaker has stopped this worker.")
        self._build = self._gauge(
            "build_info", "What decides; always 1.", "version", "policy_digest", "codes_digest"
        )
        self._bind_closed_sets()

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return round(self._now().timestamp() * 1000)

    def configured(self, partitions: int, dead_letter_limit: float) -> None:
        """Set what the settings say."""
        self._partitions.set(partitions)
        self._dead_limit.set(dead_letter_limit)

    def watch(self, *, is_ready: Callable[[], bool], dead_letter_share: Callable[[], float]) -> None:
        """Ask these two at every scrape."""
        self._ready.set_function(lambda: float(is_ready()))
        self._dead_share.set_function(dead_letter_share)

    def batch(self, decided: Decided, sending: float, seconds: float) -> None:
        """Count a batch that was committed in ``seconds``, of which sending took the first ``sending``."""
        tally = decided.tally
        self._consumed.inc(decided.records)
        for family, counts in (
            (self._events, tally.events), (self._decisions, tally.outcomes), (self._dead, tally.rejected),
            (self._again, tally.readjudications), (self._needed, tally.needed), (self._units, tally.units),
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
        self._sending.observe(sending)
        self._committing.observe(seconds - sending)
        self._commits.observe(seconds)
        self._decision.add(decided.seconds / decided.records, decided.records)
        now = self._now().timestamp()
        self._last_commit.set(now)
        self._latency.observe(decided, now)

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

    def working(self, partitions: int) -> None:
        """Set how many partitions have an open lane."""
        self._working.set(partitions)

    def lag(self, partition: int, records: int) -> None:
        """Set how many records of a partition are stable and not committed yet."""
        self._lag.labels(self._topic, str(partition)).set(records)

    def log(self, partition: int, stable: int, unstable: int) -> None:
        """Set up to where a partition can be read, and how many records an open transaction holds up."""
        self._stable.labels(self._topic, str(partition)).set(stable)
        self._unstable.labels(self._topic, str(partition)).set(unstable)

    def behind(self, partition: int, since_ms: int | None) -> None:
        """Set since when a partition's oldest uncommitted record lies there: its Kafka timestamp."""
        age = 0.0 if since_ms is None else max(0.0, self._now().timestamp() - since_ms / 1000)
        self._lag_s.labels(self._topic, str(partition)).set(age)

    def unknown(self, partition: int) -> None:
        """Forget how far a partition is behind: nobody has been heard who could tell."""
        for lag in (self._lag, self._lag_s, self._stable, self._unstable):
            lag.remove(self._topic, str(partition))

    def breaker_opened(self) -> None:
        """The breaker stops this worker."""
        self._breaker.set(1)

    def restored(self, seconds: float) -> None:
        """Count a partition whose histories were restored in ``seconds``."""
        self._restores.observe(seconds)

    def histories(self, partition: int, size: Size) -> None:
        """Set how much of a partition's histories is in memory, and since when its oldest pend waits."""
        self._members.labels(str(partition)).set(size.members)
        self._bytes.labels(str(partition)).set(size.bytes)
        if size.pended_since is None:
            self._pended_since.pop(partition, None)
        else:
            self._pended_since[partition] = size.pended_since

    def unassigned(self, partition: int) -> None:
        """Forget the series of a partition that is another worker's now."""
        self.unknown(partition)
        self._members.remove(str(partition))
        self._bytes.remove(str(partition))
        self._pended_since.pop(partition, None)

    def loaded(self, version: str, core: Core) -> None:
        """Say what decides: the package's version, digests, releases, and how long they are good for."""
        self._build.labels(version, core.policy_digest, core.codes_digest).set(1)
        for name, release in core.releases:
            self._code_sets.labels(name, release).set(1)
        for name, day in core.renewals.items():
            self._code_set_ends.labels(name).set(_midnight(day))
        for policy, last in core.policy_ends.items():
            self._policy_ends.labels(policy).set(math.inf if last is None else _midnight(last) + DAY_S)

    def _oldest_pend_s(self) -> float:
        """Seconds since midnight, UTC, of the day since which the longest-waiting claim waits."""
        if not self._pended_since:
            return 0.0
        day = date.fromordinal(min(self._pended_since.values()))
        return max(0.0, self._now().timestamp() - _midnight(day))

    def _bind_closed_sets(self) -> None:
        """Make the series of small closed sets now: a rate over a counter needs its zero."""
        for event_type in DATA_TYPES:
            self._events(event_type)
        for reason in get_args(Reason):
            self._dead(reason)
        for outcome in get_args(Outcome):
            self._decisions(outcome)
        for cause in get_args(Change):
            self._again(cause)
        for result in get_args(TransactionResult):
            self._transactions(result)
        for why in get_args(RestartReason):
            self._restarts(why)
        for procedure in MOHS_PROCEDURES:
            self._units(procedure)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"mms_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"mms_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"mms_{name}", text, labels, registry=self.registry, buckets=buckets)


def _bound(metric: Metric) -> Callable[..., Metric]:
    """The children of a metric by their label values, each bound once."""
    return cache(metric.labels)


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
