"""What the stream takes around the core: a real worker that decides a backlog on a real Kafka.

The CPU time of the process is read from outside, from when the backlog is there until all of it is committed.
What the core takes for the same records is measured in a process of its own, and subtracted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple, TypeAlias

from tests.bench.core.batches import PARTITIONS, Core, Deciding, records
from tests.bench.core.costs import Cost, Costs
from tests.bench.core.laps import MICRO, Runs, less
from tests.bench.core.picked import member_of, picked
from tests.bench.core.without_history import deciding_alone
from tests.bench.field.logs import delete
from tests.bench.scaling.cores import MEASURED, OTHER, alone, on
from tests.bench.scaling.draining import BEGINNING, SESSION_S, Spent, decided, shared
from tests.stream.streamkit import Stream, Worker
from worker.adjudication import adjudicate
from worker.devkit.kafka import KafkaBroker
from worker.devkit.local import STOP_SECONDS
from worker.reference import load_reference
from worker.stream.deciding import Adjudicate
from worker.stream.memory import settle_memory

Way: TypeAlias = Literal["without", "with"]

WAYS: tuple[Way, ...] = ("without", "with")
TARGET = 15.0
WITHOUT_HISTORY = ("-m", "tests.bench.core.without_history")
DECISION = "mms_decision_duration_seconds"


class WithoutHistory(Stream):
    """A stream whose workers decide every claim by itself."""

    def worker(self, *arguments: str, **overrides: Any) -> Worker:
        *environment, _module, _worker = self.command(**overrides)
        return self.process([*environment, *WITHOUT_HISTORY, *arguments])


STREAMS: Mapping[Way, type[Stream]] = {"without": WithoutHistory, "with": Stream}


class Run(NamedTuple):
    """A backlog that was decided."""

    spent: Spent
    deciding_us: float
    """CPU µs a record of deciding, as the worker itself tells it."""
    batch: float
    """Mean records of its batches."""


def measure(rounds: int, claims: int) -> list[Costs]:
    """One table; ``claims`` is how many a worker is given, of which the first ones are not measured."""
    runs: dict[Way, Runs] = {way: {} for way in WAYS}
    found: dict[Way, list[Run]] = {way: [] for way in WAYS}
    with TemporaryDirectory() as name, on(OTHER), KafkaBroker(Path(name)) as broker:
        values = picked("small", claims)
        events = [(member_of(value), value) for value in values]
        for number in range(rounds):
            for way in WAYS:
                run = asyncio.run(_run(way, number, events, broker, Path(name)))
                found[way].append(run)
                _note(runs[way], way, claims, run)
    return [_costs(runs, found, claims)]


def _note(runs: Runs, way: Way, claims: int, run: Run) -> None:
    """Take in a run, and what the same takes without Kafka."""
    core, deciding = alone(_core, way, claims), alone(_deciding, way, claims)
    for stage, us in (
        ("worker", run.spent.worker_us),
        ("told", run.deciding_us),
        ("core", core),
        ("deciding", deciding),
    ):
        runs.setdefault(stage, []).append(us)


async def _run(
    way: Way, number: int, events: list[tuple[bytes, bytes]], broker: KafkaBroker, directory: Path
) -> Run:
    name = f"core-{way}-{number}"
    with ExitStack() as ending:
        home = directory / name
        home.mkdir()
        stream = STREAMS[way](
            broker.bootstrap, name, home, ending, partitions=PARTITIONS, session_timeout_s=SESSION_S
        )
        await stream.create_topics()
        with on(MEASURED):
            worker = stream.worker()
        await shared(stream, [worker])
        spent = await decided(stream, [worker], events, broker)
        run = Run(spent, *[await _mean(worker, of) for of in (DECISION, "mms_batch_records")])
        await asyncio.to_thread(worker.stop, STOP_SECONDS)
    await asyncio.to_thread(delete, broker.bootstrap, name)
    return run._replace(deciding_us=run.deciding_us * MICRO)


async def _mean(worker: Worker, histogram: str) -> float:
    return await worker.metric(f"{histogram}_sum") / await worker.metric(f"{histogram}_count")


def _core(way: Way, claims: int) -> float:
    """CPU µs a claim of the core alone."""
    values = picked("small", claims)
    core, beginning = Core(_adjudicate(way)), round(claims * BEGINNING)
    settle_memory()
    core.seconds(values[:beginning])
    return core.seconds(values[beginning:]) / (claims - beginning) * MICRO


def _deciding(way: Way, claims: int) -> float:
    """CPU µs a claim of the core with what the worker has around it in the process."""
    made = records([(member_of(value), value) for value in picked("small", claims)])
    deciding, beginning = Deciding(_adjudicate(way)), round(claims * BEGINNING)
    settle_memory()
    deciding.seconds(made[:beginning])
    return sum(deciding.seconds(made[beginning:]).values()) / (claims - beginning) * MICRO


def _adjudicate(way: Way) -> Adjudicate:
    reference = load_reference()
    return deciding_alone(reference) if way == "without" else partial(adjudicate, reference=reference)


def _costs(runs: Mapping[Way, Runs], found: Mapping[Way, list[Run]], claims: int) -> Costs:
    without, held = runs["without"], runs["with"]
    costs = [*_of_way("without", without), *_of_way("with", held)]
    costs.append(Cost.of("what history adds", less(held["worker"], without["worker"])))
    costs.append(Cost.of("in the core", less(held["core"], without["core"]), 1))
    costs.append(Cost.of("in the shell", less(_shell(held), _shell(without)), 1))
    return Costs("What the stream costs around the core", costs, list(_notes(found, claims)))


def _of_way(way: Way, runs: Runs) -> Iterable[Cost]:
    shell, within = _shell(runs), less(runs["deciding"], runs["core"])
    yield Cost.of(f"the worker, {way} history", runs["worker"])
    yield Cost.of("core", runs["core"], 1)
    yield Cost.of("shell", shell, 1, target=TARGET if way == "without" else None)
    yield Cost.of("of it, around the core in deciding and counting", within, 2)
    yield Cost.of("of it, Kafka's client, lanes, loop", less(shell, within), 2)
    yield Cost.of("deciding, as the worker itself tells it", runs["told"], 1)


def _shell(runs: Runs) -> list[float]:
    return less(runs["worker"], runs["core"])


def _notes(found: Mapping[Way, list[Run]], claims: int) -> Iterable[str]:
    yield (
        f"{claims:,} generated claims of one or two lines on {PARTITIONS} partitions, of which the first "
        f"{BEGINNING:.0%} are not measured. The worker has a core of its own. It is stopped while the "
        "backlog is sent, so that its batches are as large as they come."
    )
    yield (
        "The core is measured without Kafka, in a process of its own each time, on the same claims; in the "
        "worker it finds less in the processor's caches, and that counts as shell. What the worker tells "
        "itself is of all claims, the first ones too."
    )
    for way in WAYS:
        rate = median(one.spent.records_per_s for one in found[way])
        batch = median(one.batch for one in found[way])
        broker = median(one.spent.broker_us for one in found[way])
        yield (
            f"{way.capitalize()} history: {rate:,.0f} claims/s in batches of {batch:,.0f} on average; the "
            f"broker took {broker:.1f} CPU µs a claim."
        )
