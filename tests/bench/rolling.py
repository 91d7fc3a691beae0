"""How long claims wait while workers are replaced one after the other: a benchmark with a target.

Run ``python -m tests.bench.rolling [--members 20000] [--rate 300] [--kill]``. Three workers share twelve
partitions of a real Kafka on this machine. First they decide so many events that every member has a history.
Then events come at a steady rate, and each worker in turn is told to stop, ends, and is replaced by another,
which is ready before the next one's turn comes. With ``--kill`` they are killed instead: their partitions
wait for the end of a session.

An event's latency is from the moment at which it was due to be sent to the one at which a read_committed
consumer has its results. Exit code 1 when anything published or kept is not what the oracle says, when a
worker that was told to stop was not gone in time with exit code 0, and, with the default arguments, when the
target is missed.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rich.console import Console
from rich.table import Table

from tests.bench.inputs import SEED
from tests.bench.verdict import judge
from tests.stream.streamkit import Input, Stream, Worker, until
from worker.devkit.generator import histories
from worker.devkit.kafka import KafkaBroker

WORKERS = 3
PARTITIONS = 12
EVENTS_PER_MEMBER = 4.5
"""Of the generated stream, up to where it has met every member."""
LEAD_S, TAIL_S = 10.0, 5.0
"""How long the load lasts before the first worker's turn, and behind the last one's."""
GRACE_S = 10.0
"""Between SIGTERM and SIGKILL, as container runtimes have it."""
PATIENCE_S = 300.0
TARGET_S = 5.0
"""The 99th percentile of latency while workers are replaced is to be below it."""


class Turn(NamedTuple):
    """A worker's replacement: times in seconds of the monotonic clock."""

    told: float
    ended: float
    ready: float
    exit_code: int
    """Or minus the number of the signal that ended it."""


class Load:
    """Events at a steady rate, when each was due, and when its results were there."""

    def __init__(self, stream: Stream, rate: float) -> None:
        self.due: dict[str, float] = {}
        """By the event's id; an event that comes twice counts where it came first."""
        self.arrived: list[tuple[float, bytes]] = []
        """When a result came, and the result."""
        self.sent = 0
        self._stream = stream
        self._rate = rate
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Send no more."""
        self._ended.set()

    async def send(self, records: Iterator[tuple[str, Input]]) -> None:
        """Send each when it is due, however slow the broker is with those before it."""
        settings = self._stream.settings
        async with AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap_servers, enable_idempotence=True
        ) as producer:
            began, deliveries = time.monotonic(), []
            for number, (name, record) in enumerate(records):
                due = began + number / self._rate
                await asyncio.sleep(due - time.monotonic())
                if self._ended.is_set():
                    break
                self.due.setdefault(name, due)
                deliveries.append(await producer.send(settings.input_topic, record.value, key=record.key))
            await asyncio.gather(*deliveries)
            self.sent = len(deliveries)

    async def receive(self) -> None:
        """Note each result as it comes; to be cancelled."""
        settings = self._stream.settings
        places = [TopicPartition(settings.results_topic, number) for number in range(PARTITIONS)]
        async with AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers,
            isolation_level="read_committed",
            fetch_max_wait_ms=20,
        ) as consumer:
            consumer.assign(places)
            await consumer.seek_to_end()
            while True:
                fetched = await consumer.getmany(timeout_ms=200)
                now = time.monotonic()
                self.arrived += [(now, record.value) for part in fetched.values() for record in part]

    def latencies(self, since: float, before: float) -> list[float]:
        """Sorted seconds of the events that were due in a span and have results."""
        found: dict[str, float] = {}
        for arrived, value in self.arrived:
            name = orjson.loads(value)["cause"]["id"]
            due = self.due.get(name)
            if due is not None and since <= due < before:
                found.setdefault(name, arrived - due)
        return sorted(found.values())


class Measured(NamedTuple):
    """What a roll came to."""

    members: int
    past: int
    """Events that were decided before."""
    load: Load
    rate: float
    turns: Sequence[Turn]
    restores: Sequence[float]
    """Seconds of each restore of a partition that the replacements did."""

    @property
    def rolling(self) -> tuple[float, float]:
        """When the first worker was told to stop, and when the last one was replaced."""
        return self.turns[0].told, self.turns[-1].ready

    @property
    def p99(self) -> float:
        """Of the latency of events that were due while workers were replaced."""
        return _quantile(self.load.latencies(*self.rolling), 0.99)

    @property
    def is_met(self) -> bool:
        """Whether the target is."""
        return self.p99 < TARGET_S

    @property
    def ended_well(self) -> bool:
        """Whether every worker ended by itself, and said that all was well."""
        return all(turn.exit_code == 0 for turn in self.turns)

    def show(self, console: Console) -> None:
        first, last = self.rolling
        table = Table("latency of events due", "events", "p50 s", "p99 s", "max s", box=None)
        for name, since, before in (
            ("before the roll", 0.0, first),
            ("while workers are replaced", first, last),
            ("after it", last, math.inf),
        ):
            table.add_row(name, *_quantiles(self.load.latencies(since, before)))
        console.print(
            f"{self.members:,} members by {self.past:,} events, then {self.load.sent:,} events at "
            f"{self.rate:g} a second; {WORKERS} workers on {PARTITIONS} partitions were replaced in "
            f"{last - first:.1f} s",
            soft_wrap=True,
        )
        turns = Table("worker", "ended after s", "exit code", "next one ready after s", box=None)
        for number, turn in enumerate(self.turns, 1):
            ended, ready = turn.ended - turn.told, turn.ready - turn.ended
            turns.add_row(str(number), f"{ended:.1f}", str(turn.exit_code), f"{ready:.1f}")
        console.print(turns)
        console.print(table)
        found = "met" if self.is_met else "missed"
        console.print(f"target: p99 below {TARGET_S:.0f} s while workers are replaced: {found}")
        if self.restores:
            console.print(
                f"{len(self.restores)} restores of a partition's histories: median "
                f"{median(self.restores):.2f} s, longest {max(self.restores):.2f} s"
            )


def _quantiles(latencies: Sequence[float]) -> list[str]:
    """Count, median, 99th percentile and maximum of sorted seconds."""
    shown = [_quantile(latencies, share) for share in (0.5, 0.99, 1)]
    return [f"{len(latencies):,}", *(f"{seconds:.3f}" for seconds in shown)]


def _quantile(ordered: Sequence[float], share: float) -> float:
    """NaN of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else math.nan


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=300, help="events a second")
    parser.add_argument(
        "--kill", action="store_true", help="kill the workers instead of telling them to stop"
    )
    options = parser.parse_args()
    is_default = options == parser.parse_args([])
    console = Console(highlight=False)
    with TemporaryDirectory() as name, KafkaBroker(Path(name)) as broker, ExitStack() as ending:
        stream = Stream(broker.bootstrap, "rolling", Path(name), ending, partitions=PARTITIONS)
        roll = asyncio.run(measured(stream, options, console))
        roll.show(console)
        is_good = judge(stream.settings, console).is_good
    console.print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", style="dim")
    is_good &= options.kill or roll.ended_well
    is_good &= roll.is_met or not is_default
    sys.exit(0 if is_good else 1)


async def measured(stream: Stream, options: Namespace, console: Console) -> Measured:
    """Have workers decide the events of a past, then replace each of them under load."""
    await stream.create_topics()
    events = generated(options.members)
    with console.status("deciding the past"):
        past = [record for _, record in islice(events, round(options.members * EVENTS_PER_MEMBER))]
        await stream.publish(past)
        workers = [stream.worker() for _ in range(WORKERS)]
        for worker in workers:
            await worker.ready()
        await drained(stream, len(past))
    load = Load(stream, options.rate)
    receiving = asyncio.ensure_future(load.receive())
    sending = asyncio.ensure_future(load.send(events))
    replacements: list[Worker] = []
    with console.status("replacing the workers"):
        await asyncio.sleep(LEAD_S)
        turns = [await replace(stream, worker, replacements, kill=options.kill) for worker in workers]
        await asyncio.sleep(TAIL_S)
        load.end()
        await sending
        await drained(stream, len(past) + load.sent)
    receiving.cancel()
    await asyncio.gather(receiving, return_exceptions=True)
    restores = [line["seconds"] for worker in replacements for line in worker.said("histories restored")]
    members = len({record.key for record in past})
    return Measured(members, len(past), load, options.rate, turns, restores)


def generated(members: int) -> Iterator[tuple[str, Input]]:
    """Id and record of each event of a stream without end."""
    for event in histories(sys.maxsize, SEED, members):
        yield event["id"], Input(event["data"]["member_id"].encode(), orjson.dumps(event))


async def replace(stream: Stream, worker: Worker, replacements: list[Worker], *, kill: bool) -> Turn:
    """End a worker, start another, and wait for its readiness."""
    told = time.monotonic()
    if kill:
        worker.kill()
    else:
        await asyncio.to_thread(worker.stop, GRACE_S)
    ended, exit_code = time.monotonic(), worker.exit_code
    assert exit_code is not None
    replacements.append(stream.worker())
    await replacements[-1].ready()
    return Turn(told, ended, time.monotonic(), exit_code)


async def drained(stream: Stream, records: int) -> None:
    async with stream.administration() as client:

        async def is_drained() -> bool:
            return await stream.committed(client) >= records

        await until(is_drained, f"{records} events to be decided", within=PATIENCE_S)


if __name__ == "__main__":
    main()
