"""One contestant's run over its input, measured from outside.

Results are counted, not committed offsets: some commit seldom, some nothing. The measure begins before the
first record is sent, and not at the first result: some decide much before they show any. Sending is far
faster than deciding, so that what is measured is a backlog.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import KafkaException
from msgspec import Struct

from tests.bench.field.contestants import Contestant
from tests.bench.field.cores import Cores
from tests.bench.field.input import Input, Sender, topics
from tests.bench.field.judging import Judged, Results, Verdict, collected
from tests.bench.field.logs import Log, delete
from tests.bench.field.running import RunFailed, Running, started
from tests.bench.field.sampling import TICK_S, Sample, Sampler

QUIET_S = 1.0
"""How long nothing more may come until a run counts as done."""
PATIENCE_S = 60.0
"""How long nothing may come of a run that is not done."""


class Place(NamedTuple):
    """Where runs take place."""

    bootstrap: str
    broker_pid: int
    partitions: int
    cores: Cores
    logs: Path
    note: Callable[[str], None]
    """Told what goes wrong and changes no figure."""

    def clear(self, prefix: str) -> None:
        """Delete a run's topics. That they stay is noted: it must not hide what the run came to."""
        try:
            delete(self.bootstrap, prefix)
        except (KafkaException, OSError, RuntimeError) as error:
            self.note(f"the topics of {prefix} were not deleted: {type(error).__name__}: {error}")


class Round(Struct):
    """What a run came to, from when its input began to be sent to when all results were visible.

    Before that it was started and has decided other records of the same kind: start-up and warming up are not
    counted. Rates and costs are of input records.
    """

    contestant: str
    number: int
    events: int
    """Input records that were measured."""
    results: int
    """Results of them."""
    seconds: float
    sending_s: float
    """Of these, until all records were sent: if it is most of them, it is the sending that was measured."""
    rate: float
    """Records a second."""
    cpu_us: float
    """CPU time a record, user and system."""
    core: float
    """Share of its core that the contestant has used."""
    broker_core: float
    """Share of a core that the broker has used."""
    driver_core: float
    """Share of a core that sending and sampling have used, which is the broker's."""
    peak: int
    """Bytes of resident memory, from the start on."""
    exit_code: int | None
    """After SIGTERM."""
    verdict: Verdict


def measured(contestant: Contestant, number: int, given: Input, place: Place) -> Round:
    """Run a contestant over its input with topics of its own, which are gone afterwards.

    Raises RunFailed when it ends or halts before it is done.
    """
    name = f"{contestant.name}-{number:02}"
    stream = topics(place.bootstrap, name, place.partitions)
    settings, judged = stream.settings, contestant.judged
    try:
        with started(contestant, stream, place.logs, place.cores.contestant) as running:
            sampler = Sampler(
                Log(place.bootstrap, settings.results_topic, place.partitions), running.pid, place.broker_pid
            )
            watch = Watch(running, sampler, judged)
            sender = Sender(place.bootstrap, settings.input_topic)
            sender.send(given.warm_up)
            watch.until(given.due_of_warm_up.count(judged))
            began = sampler.look()
            sender.send(given.measured)
            sent = time.monotonic()
            found = watch.until(given.due.count(judged))
            peak = sampler.peak()
        span = Span(began, sampler.samples, found)
        # Some events have several results and some have none.
        events = len(given.measured)
        share = events / (given.due.count(judged) - given.due_of_warm_up.count(judged))
        return Round(
            contestant=contestant.name,
            number=number,
            events=events,
            results=span.results,
            seconds=span.seconds,
            sending_s=sent - began.at,
            rate=span.results * share / span.seconds,
            cpu_us=span.cpu / (span.results * share) * 1e6,
            core=span.cpu / span.seconds,
            broker_core=span.broker_cpu / span.seconds,
            driver_core=span.driver_cpu / span.seconds,
            peak=peak,
            exit_code=running.exit_code,
            verdict=given.due.judge(judged, found),
        )
    finally:
        place.clear(name)


class Watch:
    """Waits for a contestant's results, and samples it meanwhile."""

    def __init__(self, running: Running, sampler: Sampler, judged: Judged) -> None:
        self._running = running
        self._sampler = sampler
        self._judged = judged

    def until(self, expected: int) -> Results:
        """All results, once there are so many and no more come. Raises RunFailed when it ends or halts."""
        last = self._sampler.look()
        read: tuple[int, ...] = ()
        while True:
            self._running.check()
            sample = self._sampler.look()
            if sample.ends != last.ends:
                last = sample
            idle = sample.at - last.at
            # Offsets are not results, but there are as many at least.
            if idle > QUIET_S and sum(last.ends) >= expected and last.ends != read:
                found, read = self._found(), last.ends
                # What came while they were read is found, and no sample before has seen it.
                self._sampler.look()
                if found.count >= expected:
                    return found
            if idle > PATIENCE_S:
                there = f"{self._found().count:,} of {expected:,} results"
                raise self._running.failed(f"has made no progress for {PATIENCE_S:.0f} s, at {there}")
            time.sleep(max(0.0, sample.at + TICK_S - time.monotonic()))

    def _found(self) -> Results:
        log = self._sampler.log
        return collected(log.records(), log.partitions, self._judged)


class Span:
    """From one sample to the first with all results. Raises RunFailed when none has them all."""

    def __init__(self, began: Sample, samples: Sequence[Sample], found: Results) -> None:
        ended = next((one for one in samples if one.visible(found.offsets) == found.count), None)
        if ended is None:
            raise RunFailed(f"no sample has seen all {found.count:,} results")
        self.results = found.count - began.visible(found.offsets)
        self.seconds = ended.at - began.at
        self.cpu = ended.cpu - began.cpu
        self.broker_cpu = ended.broker_cpu - began.broker_cpu
        self.driver_cpu = ended.driver_cpu - began.driver_cpu
