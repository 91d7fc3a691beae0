"""From the moment an event is due to be sent to that at which a read_committed consumer has its result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from statistics import quantiles

import orjson
from confluent_kafka import Consumer, Message, TopicPartition
from msgspec import Struct

from tests.bench.backlog import backlog
from tests.bench.field.contestants import Contestant
from tests.bench.field.input import Sender, topics
from tests.bench.field.load import Load, Sent, loaded
from tests.bench.field.logs import Log, reading
from tests.bench.field.running import Running, started
from tests.bench.field.throughput import PATIENCE_S, Place
from tests.stream.streamkit import Stream

WARM_UP_S, MEASURED_S = 5.0, 20.0
PROBES = 25
"""Events a partition that a contestant answers before the load comes: it has all partitions then."""
NOW = 0
"""The timestamp that a producer takes for the present."""
AT_ONCE = 500
LOOK_S = 0.05
QUIET_S = 2.0
"""How long nothing may come until all is counted as come."""
TAIL_S = 30.0
"""How long results may come behind the last event."""
LATE_MS = 5.0
"""More than that is not the contestant's latency but that of this bench."""


class Latency(Struct):
    """Milliseconds from due to visible, of each result."""

    contestant: str
    rate: float
    """Events a second, as asked for."""
    results: int
    unanswered: int
    """Events of which nothing came; some come twice or change nothing, and have no results."""
    p50: float
    p95: float
    p99: float
    most: float
    sent_late_p99: float
    """By how much the generator itself was late."""
    checker_full: float
    """Share of the checker's fetches that were full: it may have been behind then."""

    @property
    def is_sound(self) -> bool:
        """Whether generator and checker kept up."""
        return self.sent_late_p99 <= LATE_MS and self.checker_full <= 0.01


class Checker:
    """Notes when results come."""

    def __init__(self, bootstrap: str, topic: str, ends: Sequence[int]) -> None:
        """Read from ``ends`` on."""
        # A fetch that waits is answered as soon as something is committed; the bound is for one that is not.
        self._consumer = Consumer(
            reading(bootstrap) | {"fetch.wait.max.ms": 10, "fetch.error.backoff.ms": 10}
        )
        self._consumer.assign([TopicPartition(topic, number, end) for number, end in enumerate(ends)])
        self.arrived: list[tuple[int, bytes]] = []
        """Nanoseconds of the monotonic clock, and the result."""
        self.fetches = self.full = 0

    def look(self) -> None:
        """Take what has come, or wait for a moment."""
        first = self._consumer.poll(LOOK_S)
        if first is None:
            return
        rest: list[Message] = self._consumer.consume(AT_ONCE, 0)
        now = time.monotonic_ns()
        self.fetches += 1
        self.full += len(rest) == AT_ONCE
        # Errors are such as librdkafka recovers from by itself.
        self.arrived += [(now, message.value()) for message in (first, *rest) if message.error() is None]

    def close(self) -> None:
        self._consumer.close()


def measured(contestant: Contestant, rate: float, members_per_event: float, place: Place) -> Latency:
    """Start a contestant and measure its latency at ``rate`` events a second. Raises RunFailed."""
    name = f"{contestant.name}-latency-{rate:.0f}"
    stream = topics(place.bootstrap, name, place.partitions)
    log = Log(place.bootstrap, stream.settings.results_topic, place.partitions)
    try:
        with started(contestant, stream, place.logs, place.cores.contestant) as running:
            probes = PROBES * place.partitions
            count = round(rate * (WARM_UP_S + MEASURED_S))
            members = max(1, round((probes + count) * members_per_event))
            load = Load(place.bootstrap, stream.settings.input_topic, members, probes, count, rate)
            first = islice(backlog(probes + count, members), probes)
            Sender(load.bootstrap, load.topic).send((key, value, NOW) for key, value in first)
            _await_all_partitions(running, log)
            sent, checker = _checked(running, stream, log, load)
    finally:
        place.clear(name)
    return _latency(contestant.name, rate, sent, checker, running)


def _await_all_partitions(running: Running, log: Log) -> None:
    """Wait for results in each partition, and then until no more come."""
    began = since = time.monotonic()
    last = log.ends()
    while not all(last) or time.monotonic() - since < QUIET_S:
        running.check()
        if time.monotonic() - began > PATIENCE_S:
            raise running.failed(f"has no results of each partition after {PATIENCE_S:.0f} s")
        time.sleep(LOOK_S)
        ends = log.ends()
        if ends != last:
            last, since = ends, time.monotonic()


def _checked(running: Running, stream: Stream, log: Log, load: Load) -> tuple[Sent, Checker]:
    checker = Checker(load.bootstrap, stream.settings.results_topic, log.ends())
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        sending: Future[Sent] = apart.submit(loaded, load)
        try:
            while not sending.done():
                checker.look()
                running.check()
            ended = quiet = time.monotonic()
            while time.monotonic() - quiet < QUIET_S and time.monotonic() - ended < TAIL_S:
                before = len(checker.arrived)
                checker.look()
                if len(checker.arrived) > before:
                    quiet = time.monotonic()
        finally:
            checker.close()
        return sending.result(), checker


def _latency(name: str, rate: float, sent: Sent, checker: Checker, running: Running) -> Latency:
    since = sent.began + round(WARM_UP_S * 1e9)
    waited: list[float] = []
    answered: set[bytes] = set()
    for arrived, value in checker.arrived:
        cause = orjson.loads(value)["cause"]["id"].encode()
        due = sent.due.get(cause)
        if due is not None and due >= since:
            waited.append((arrived - due) / 1e6)
            answered.add(cause)
    if len(waited) < 2:
        raise running.failed(f"has {len(waited)} results at {rate:,.0f} events a second")
    percentiles = quantiles(waited, n=100, method="inclusive")
    return Latency(
        contestant=name,
        rate=rate,
        results=len(waited),
        unanswered=sum(due >= since for due in sent.due.values()) - len(answered),
        p50=percentiles[49],
        p95=percentiles[94],
        p99=percentiles[98],
        most=max(waited),
        sent_late_p99=sent.late[len(sent.late) * 99 // 100] / 1e6,
        checker_full=checker.full / max(1, checker.fetches),
    )
