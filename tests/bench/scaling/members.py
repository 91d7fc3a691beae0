"""What a worker takes by how many members it has histories of."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import thread_time_ns
from typing import NamedTuple

from tests.bench.processes import resident
from tests.bench.scaling.core import folded
from tests.bench.scaling.cores import MEASURED, OTHER, alone, on
from tests.bench.scaling.draining import Spent, decided, panels, shared, stream_on
from tests.bench.scaling.figures import Figure, panel
from tests.bench.scaling.population import Population, populated, write
from tests.stream.streamkit import Stream, Worker
from worker.devkit.kafka import KafkaBroker
from worker.devkit.local import STOP_SECONDS
from worker.reference import load_reference
from worker.stream.memory import settle_memory

PARTITIONS = 8
MEMBERS = 10_000
COPIES = (1, 10, 100)
EVENTS = 30_000
"""Of a load: three for each of the members that have any."""
MIB = 2**20


class Run(NamedTuple):
    """One worker: from its start with the histories that there are to the end of a load."""

    resident: int
    """Bytes of memory once it has restored."""
    stored: float
    """Bytes of the histories that it holds."""
    restore_s: float
    """From the assignment of its partitions until the last of them is restored."""
    records: int
    """Of the changelog, that were read for it."""
    spent: Spent


class Quantiles(NamedTuple):
    """Processor time of one event in the core, in µs."""

    p50: float
    p99: float


def measure(*, is_quick: bool) -> Figure:
    """A changelog is written; then again and again a worker restores it, and decides a backlog."""
    members, copies, runs, events = (2_000, (1, 10), 2, 5_000) if is_quick else (MEMBERS, COPIES, 3, EVENTS)
    population = populated(members, runs, events)
    found: dict[int, list[Run]] = defaultdict(list)
    with (
        TemporaryDirectory() as name,
        on(OTHER),
        KafkaBroker(Path(name)) as broker,
        ExitStack() as ending,
    ):
        streams = {
            count: stream_on(broker, f"members-{count * members}", Path(name), ending, PARTITIONS)
            for count in copies
        }
        for count, stream in streams.items():
            asyncio.run(_begin(stream, population, count))
        for number in range(runs):
            for count, stream in streams.items():
                load = population.load(number, count)
                found[count * members].append(asyncio.run(_run(stream, load, broker)))
    core = {count * members: alone(_core, population, count) for count in copies}
    return _figure(found, core)


async def _begin(stream: Stream, population: Population, copies: int) -> None:
    await stream.create_topics()
    await write(stream, population, copies)


async def _run(stream: Stream, load: Sequence[tuple[bytes, bytes]], broker: KafkaBroker) -> Run:
    with on(MEASURED):
        worker = stream.worker()
    await shared(stream, [worker])
    memory = resident(worker.pid)
    stored = sum(
        [await worker.metric(f'mms_history_bytes{{partition="{number}"}}') for number in range(PARTITIONS)]
    )
    records, seconds = _restored(worker)
    spent = await decided(stream, [worker], load, broker)
    await asyncio.to_thread(worker.stop, STOP_SECONDS)
    return Run(memory, stored, seconds, records, spent)


def _restored(worker: Worker) -> tuple[int, float]:
    """Records that it has restored, and the seconds that it took, as its log tells."""
    restored = worker.said("histories restored")
    began, ended = (
        max(datetime.fromisoformat(line["timestamp"]) for line in lines)
        for lines in (worker.said("partitions assigned"), restored)
    )
    return sum(line["records"] for line in restored), (ended - began).total_seconds()


def _core(population: Population, copies: int) -> list[Quantiles]:
    """Decide each load in this process, in a memory with all the histories."""
    reference = load_reference()
    states = {key: state for one in population.copies(copies) for key, state in one.items()}
    settle_memory()
    found = []
    for number in range(len(population.loads)):
        taken = []
        for key, value in population.load(number, copies):
            began = thread_time_ns()
            states[key] = folded(value, states[key], reference)
            taken.append((thread_time_ns() - began) / 1000)
        taken.sort()
        found.append(Quantiles(taken[len(taken) // 2], taken[len(taken) * 99 // 100]))
    return found


def _figure(found: Mapping[int, list[Run]], core: Mapping[int, list[Quantiles]]) -> Figure:
    def of(value: Callable[[Run], float]) -> dict[int, list[float]]:
        return {members: [value(run) for run in runs] for members, runs in found.items()}

    return Figure(
        title="What one worker takes by how many members it holds",
        x="members",
        panels=[
            panel(
                "MiB",
                {
                    "resident memory": of(lambda run: run.resident / MIB),
                    "stored histories": of(lambda run: run.stored / MIB),
                },
            ),
            panel("s to restore", {"": of(lambda run: run.restore_s)}),
            panel("records/s restored", {"": of(lambda run: run.records / run.restore_s)}),
            *panels({members: [run.spent for run in runs] for members, runs in found.items()}),
            panel(
                "CPU µs an event in the core",
                {
                    name: {members: [getattr(one, name) for one in some] for members, some in core.items()}
                    for name in Quantiles._fields
                },
            ),
        ],
    )
