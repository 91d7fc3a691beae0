"""What a worker does with far more than it can decide: memory and lag are printed, never asserted.

Run ``python -m tests.bench.overload [--seconds 60] [--times 10] [--share 0.25] [--members 100000]``. One
worker has all twelve partitions of a real Kafka on this machine. How fast it decides what lies there is what
it can sustain; so many times that is then sent to it, second after second, and in the end it has to have
decided all of it.

Until the last event is sent the worker runs for a share of the time only; then it catches up with all that it
has. What it holds in memory is bounded by its settings, which are the defaults, and not by its speed; with a
whole core ten times of what it sustains would be millions of events to make, send, decide and check, and
sender and broker would need the core that it is measured on. The defaults take a quarter of an hour at most
on two quiet cores, ``--share 1`` a good half hour.

Exit code 1 when anything published or kept is not what the oracle says, or when the worker, told to stop in
the end, does not end in time with exit code 0.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice, pairwise
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console
from rich.table import Table

from tests.bench.inputs import SEED
from tests.bench.processes import resident
from tests.bench.sending import send
from tests.bench.verdict import judge
from tests.stream.streamkit import Stream, Worker, until
from worker.devkit.claims import Event
from worker.devkit.generator import histories
from worker.devkit.kafka import KafkaBroker
from worker.devkit.local import STOP_SECONDS

PARTITIONS = 12
BACKLOG = 40_000
"""Events by which is measured what the worker can sustain; the first fifth is for it to get going."""
PERIOD_S = 0.02
"""Of each the worker runs for its share."""
TICK_S = 1.0
PATIENCE_S = 120.0
"""How long nothing may be decided."""
MIB = 2**20
SEPARATOR = b"\t"
SHOWN = 15
"""Samples that are printed."""


class Sample(NamedTuple):
    """The worker at one moment."""

    at: float
    """Seconds of the monotonic clock."""
    decided: int
    lag: int
    """Events in the log that are not decided."""
    resident: int
    """Bytes of memory."""
    stored: int
    """Bytes of the histories that it holds, which is what it must keep."""


class Watch:
    """Samples of a worker, one a second while it is entered."""

    def __init__(self, stream: Stream, worker: Worker) -> None:
        self.samples: list[Sample] = []
        self._stream = stream
        self._worker = worker

    async def __aenter__(self) -> Self:
        self._task = asyncio.ensure_future(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def drained(self, records: int) -> None:
        """Return when so many events are decided. Raises RuntimeError when the worker ends or halts."""
        stood, since = -1, time.monotonic()
        while stood < records:
            if self._task.done():
                await self._task
            if self._worker.exit_code is not None:
                raise RuntimeError(f"the worker ended; it said:\n{self._worker.text}")
            decided = self.samples[-1].decided if self.samples else 0
            if decided > stood:
                stood, since = decided, time.monotonic()
            elif time.monotonic() - since > PATIENCE_S:
                raise RuntimeError(f"nothing was decided for {PATIENCE_S:.0f} s, behind {stood} events")
            await asyncio.sleep(TICK_S / 10)

    async def _watch(self) -> None:
        settings = self._stream.settings
        places = [TopicPartition(settings.input_topic, number) for number in range(PARTITIONS)]
        async with (
            self._stream.administration() as client,
            AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers) as consumer,
        ):
            while True:
                began = time.monotonic()
                decided = await self._stream.committed(client)
                end = sum((await consumer.end_offsets(places)).values())
                stored = await self._stored()
                sample = Sample(time.monotonic(), decided, end - decided, resident(self._worker.pid), stored)
                self.samples.append(sample)
                await asyncio.sleep(began + TICK_S - time.monotonic())

    async def _stored(self) -> int:
        _, body = await self._worker.get("/metrics")
        sizes = [
            line.rpartition(" ")[2] for line in body.splitlines() if line.startswith("mms_history_bytes{")
        ]
        return round(sum(map(float, sizes)))


def write(events: Iterator[Event], count: int, file: Path) -> Path:
    """The next ``count`` events, key and value on a line: sending them then costs little."""
    with file.open("wb") as out:
        for event in islice(events, count):
            out.write(event["data"]["member_id"].encode() + SEPARATOR + orjson.dumps(event) + b"\n")
    return file


def read(file: Path) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each event of a file."""
    with file.open("rb") as lines:
        for line in lines:
            key, _, value = line.rstrip(b"\n").partition(SEPARATOR)
            yield key, value


@contextmanager
def held_to(share: float, pid: int) -> Iterator[None]:
    """Let a process run for a share of the time, by stopping and continuing it as ``cpulimit`` does."""
    holding = get_context("spawn").Process(target=_hold, args=(share, pid), daemon=True)
    if share < 1:
        holding.start()
    try:
        yield
    finally:
        if share < 1:
            holding.kill()
            holding.join()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _hold(share: float, pid: int) -> None:
    """In a process of its own: a thread would wait for the interpreter, which the sender keeps busy."""
    with suppress(ProcessLookupError):
        while True:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(PERIOD_S * (1 - share))
            os.kill(pid, signal.SIGCONT)
            time.sleep(PERIOD_S * share)


async def sustained(stream: Stream) -> float:
    """How many events a second are decided of a backlog that has been begun."""
    async with stream.administration() as client:

        async def is_done() -> bool:
            return await stream.committed(client) >= BACKLOG

        began, done = time.monotonic(), await stream.committed(client)
        await until(is_done, "the backlog to be decided", within=PATIENCE_S)
        return (BACKLOG - done) / (time.monotonic() - began)


async def overloaded(stream: Stream, directory: Path, options: Namespace, console: Console) -> bool:
    """Find the rate, exceed it, and let the worker catch up; whether the worker then ended as it should."""
    await stream.create_topics()
    events = histories(sys.maxsize, SEED, options.members)
    await asyncio.to_thread(send, stream, read(write(events, BACKLOG, directory / "backlog")), BACKLOG)
    worker = stream.worker()
    with ExitStack() as holding:
        with console.status("measuring what one worker can sustain"):
            await stream.drained(BACKLOG // 5)
            holding.enter_context(held_to(options.share, worker.pid))
            rate = await sustained(stream)
        console.print(
            f"one worker, held to {options.share:.0%} of a core, decides {rate:,.0f} events a second of what "
            "lies there: sustainable",
            soft_wrap=True,
        )
        count = round(rate * options.times * options.seconds)
        with console.status(f"generating {count:,} events"):
            file = await asyncio.to_thread(write, events, count, directory / "load")
        async with Watch(stream, worker) as watch:
            await watch.drained(BACKLOG)
            began = time.monotonic()
            with console.status("overloading"):
                took = await asyncio.to_thread(send, stream, read(file), rate * options.times)
            holding.close()
            offered = count / took
            console.print(
                f"{count:,} events were sent in {took:.1f} s: {offered:,.0f} a second, "
                f"{offered / rate:.1f} times the sustainable rate (asked for: {options.times:g}); then the "
                "worker was let go",
                soft_wrap=True,
            )
            with console.status("catching up"):
                await watch.drained(BACKLOG + count)
            show(watch.samples, began, began + took, resident(worker.pid, "VmHWM"), console)
    await asyncio.to_thread(worker.stop, STOP_SECONDS)
    console.print(f"worker ended with exit code {worker.exit_code}")
    return worker.exit_code == 0


def show(samples: Sequence[Sample], began: float, sent: float, peak: int, console: Console) -> None:
    """Memory and lag over time; the worker's memory before, at its peak and after."""
    table = Table("s", "lag", "decided/s", "resident MiB", "of it histories MiB", box=None)
    step = max(1, -(-len(samples) // SHOWN))
    for before, sample in pairwise([samples[0], *samples[step::step], samples[-1]]):
        speed = (sample.decided - before.decided) / max(TICK_S, sample.at - before.at)
        sizes = (f"{size / MIB:,.0f}" for size in (sample.resident, sample.stored))
        table.add_row(f"{sample.at - began:.0f}", f"{sample.lag:,}", f"{speed:,.0f}", *sizes)
    console.print(table)
    first, last, highest = samples[0], samples[-1], max(samples, key=lambda sample: sample.resident)
    console.print(
        f"lag: at most {max(sample.lag for sample in samples):,}, {last.lag:,} in the end, "
        f"{last.at - sent:.0f} s after the last event was sent"
    )
    console.print(
        f"resident memory: {first.resident / MIB:.0f} MiB before ({first.stored / MIB:.0f} of histories), at "
        f"most {max(peak, highest.resident) / MIB:.0f} ({highest.stored / MIB:.0f}), "
        f"{last.resident / MIB:.0f} after ({last.stored / MIB:.0f})",
        soft_wrap=True,
    )


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--times", type=float, default=10, help="of what one worker can sustain")
    parser.add_argument("--share", type=float, default=0.25, help="of a core, until everything is sent")
    parser.add_argument("--members", type=int, default=100_000)
    options = parser.parse_args()
    console = Console(highlight=False)
    with TemporaryDirectory() as name, KafkaBroker(Path(name)) as broker, ExitStack() as ending:
        stream = Stream(broker.bootstrap, "overload", Path(name), ending, partitions=PARTITIONS)
        ended_well = asyncio.run(overloaded(stream, Path(name), options, console))
        is_good = judge(stream.settings, console).is_good
    console.print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", style="dim")
    sys.exit(0 if is_good and ended_well else 1)


if __name__ == "__main__":
    main()
