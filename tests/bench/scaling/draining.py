"""Workers and a backlog that is there before they begin: how fast it is decided, and what that takes.

Workers that are at work are stopped by signal, the backlog is sent, and they are let go: neither their start
nor the sending is in what is measured.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import orjson
from aiokafka.admin import AIOKafkaAdminClient

from tests.bench.inputs import SEED, kept
from tests.bench.processes import cpu_of
from tests.bench.scaling.cores import on
from tests.bench.scaling.figures import Panel, panel
from tests.bench.sending import send
from tests.stream.streamkit import Stream, Worker, until
from worker.devkit.generator import histories
from worker.devkit.kafka import KafkaBroker
from worker.devkit.local import STOP_SECONDS
from worker.settings import TOPICS

MICRO = 1e6
BEGINNING = 0.1
"""Share of the records that are decided before, while the workers' caches fill."""
LOOK_S = 0.05
SESSION_S = 60
"""A session outlasts the time for which its worker is stopped."""
PATIENCE_S = 300.0


class Spent(NamedTuple):
    """What a backlog took, from letting the workers go to the last commit. ``us`` is µs."""

    records_per_s: float
    worker_us: float
    """CPU µs a record of all workers together."""
    broker_us: float
    """The same of the broker; sending is not in it."""


def panels(spent: Mapping[int, Sequence[Spent]]) -> list[Panel]:
    """What backlogs took, by what varies."""

    def of(value: Callable[[Spent], float]) -> dict[int, list[float]]:
        return {x: [value(one) for one in some] for x, some in spent.items()}

    return [
        panel("records/s decided", {"": of(lambda one: one.records_per_s)}),
        panel(
            "CPU µs a record",
            {"workers": of(lambda one: one.worker_us), "broker": of(lambda one: one.broker_us)},
        ),
    ]


def stream_on(broker: KafkaBroker, name: str, directory: Path, ending: ExitStack, partitions: int) -> Stream:
    """A stream whose workers may be stopped for a while; they end with ``ending``."""
    return Stream(
        broker.bootstrap, name, directory, ending, partitions=partitions, session_timeout_s=SESSION_S
    )


def mixed(events: int, members: int) -> list[tuple[bytes, bytes]]:
    """Member and event of generated histories: claims, and what becomes of them."""
    file = kept(f"scaling-{events}-{members}", histories(events, SEED, members))
    with file.open("rb") as lines:
        return [(_member(line), line.rstrip(b"\n")) for line in lines]


def _member(line: bytes) -> bytes:
    return str(orjson.loads(line)["data"]["member_id"]).encode()


async def from_the_start(
    stream: Stream,
    places: Sequence[Iterable[int]],
    records: Sequence[tuple[bytes, bytes]],
    broker: KafkaBroker,
) -> Spent:
    """Have new workers decide all that a new stream has; ``places`` are the cores of each of them.

    Its topics are gone afterwards: what was measured once is in nobody's way then.
    """
    await stream.create_topics()
    workers = []
    for cores in places:
        with on(cores):
            workers.append(stream.worker())
    await shared(stream, workers)
    spent = await decided(stream, workers, records, broker)
    for worker in workers:
        await asyncio.to_thread(worker.stop, STOP_SECONDS)
    await _remove(stream)
    return spent


async def shared(stream: Stream, workers: Sequence[Worker]) -> None:
    """Return when all workers are ready and have the same number of partitions."""
    wanted = stream.settings.partitions / len(workers)

    async def are_working() -> bool:
        held = [await worker.metric("mms_working_partitions") for worker in workers]
        return held == [wanted] * len(workers)

    for worker in workers:
        await worker.ready()
    await until(are_working, f"{wanted:g} partitions for each worker")


async def decided(
    stream: Stream, workers: Sequence[Worker], records: Sequence[tuple[bytes, bytes]], broker: KafkaBroker
) -> Spent:
    """Have workers that are ready decide some records more.

    Raises RuntimeError when a worker ends, when they take too long, or when there is a dead letter.
    """
    beginning = round(len(records) * BEGINNING)
    first, backlog = records[:beginning], records[beginning:]
    async with stream.administration() as client:
        done = await stream.committed(client)
        await asyncio.to_thread(send, stream, first)
        await _reached(done + len(first), stream, client, workers)
        with _held(workers):
            await asyncio.to_thread(send, stream, backlog)
            before, at_broker = _cpu(workers), _cpu([broker])
            began = time.monotonic()
        await _reached(done + len(records), stream, client, workers)
        seconds = time.monotonic() - began
        spent, at_broker = _cpu(workers) - before, _cpu([broker]) - at_broker
    if any((await stream.dead_letters()).values()):
        raise RuntimeError("there are dead letters: the bench has a bad record")
    count = len(backlog)
    return Spent(count / seconds, spent / count * MICRO, at_broker / count * MICRO)


async def _reached(
    offset: int, stream: Stream, client: AIOKafkaAdminClient, workers: Sequence[Worker]
) -> None:
    """Return when so much is committed."""
    deadline = time.monotonic() + PATIENCE_S
    while await stream.committed(client) < offset:
        for worker in workers:
            if worker.exit_code is not None:
                raise RuntimeError(f"a worker ended; it said:\n{worker.text}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the backlog was not decided in {PATIENCE_S:.0f} s")
        await asyncio.sleep(LOOK_S)


@contextmanager
def _held(workers: Sequence[Worker]) -> Iterator[None]:
    """Stop the workers meanwhile."""
    for worker in workers:
        os.kill(worker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in workers:
            os.kill(worker.pid, signal.SIGCONT)


def _cpu(processes: Sequence[Worker | KafkaBroker]) -> float:
    return sum([cpu_of(one.pid) for one in processes if one.pid is not None])


async def _remove(stream: Stream) -> None:
    settings = stream.settings
    async with stream.administration() as client:
        await client.delete_topics([getattr(settings, topic) for topic in TOPICS])
