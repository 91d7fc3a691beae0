"""How fast a lane's member histories come back from the changelog: printed, never asserted.

Run ``python -m tests.bench.restore [--members 200000] [--events-per-member 1] [--runs 3]``. One partition
of a real Kafka on this machine gets the histories of generated claims, in transactions and compressed as
lanes write them: a record an event, of which all but a member's last are there to be replaced. Then they are
restored in this process, beside the broker.
"""

from __future__ import annotations

import asyncio
import gc
import os
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from sys import getsizeof
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import NamedTuple

import orjson
from aiokafka import TopicPartition
from rich.console import Console
from rich.progress import track
from rich.table import Table

from worker.adjudication import Rejected, adjudicate, decode
from worker.devkit.generator import events
from worker.devkit.kafka import KafkaBroker
from worker.devkit.local import create_topics, local_settings
from worker.reference import load_reference
from worker.settings import Settings
from worker.stream.histories import Histories
from worker.stream.outgoing import Outgoing
from worker.stream.records import read_raw_names
from worker.stream.restore import restore
from worker.stream.transactions.producer import TransactionalProducer

SEED = 7
BATCH = 1000
"""Records of a transaction, as many as a lane's batch has at most."""
PARTITION = 0
TARGET_SECONDS = 20


class Run(NamedTuple):
    """One restore: CPU seconds of this process and seconds by the clock."""

    cpu: float
    wall: float


class Size(NamedTuple):
    """What was restored, in bytes a member: as it is stored, and with its key in this process's memory."""

    members: int
    records: int
    stored: float
    memory: float


def changelog(members: int, events_per_member: int) -> Iterator[Outgoing]:
    """The changelog of that many members, each of whom has claims at intervals."""
    reference, states = load_reference(), dict[bytes, bytes]()
    for number, event in enumerate(events(members * events_per_member, SEED)):
        member = f"MBR-{number % members:08d}"
        event["data"]["member_id"] = member
        decoded = decode(orjson.dumps(event))
        if isinstance(decoded, Rejected):
            raise TypeError(f"a generated claim is no good: {decoded}")
        key = member.encode()
        answer = adjudicate(decoded, states.get(key), reference)
        if isinstance(answer, Rejected) or answer.history is None:
            raise TypeError(f"a generated claim is not adjudicated: {answer}")
        if events_per_member > 1:
            states[key] = answer.history
        yield Outgoing(key, answer.history, 1_700_000_000_000, ())


async def write(settings: Settings, records: Iterator[Outgoing]) -> None:
    """Write them as a lane does; the input offsets are made up."""
    producer = TransactionalProducer(TopicPartition(settings.input_topic, PARTITION), settings)
    await producer.start()
    try:
        offset = 0
        while batch := list(islice(records, BATCH)):
            offset += len(batch)
            await producer.commit({settings.changelog_topic: batch}, offset)
    finally:
        await producer.close()


async def measured(settings: Settings) -> tuple[Run, Size]:
    """Restore once."""
    gc.collect()
    cpu, wall = process_time(), perf_counter()
    restored = await restore(PARTITION, settings)
    Histories(restored.histories)  # as a lane takes them over: it looks for the oldest pend
    run = Run(process_time() - cpu, perf_counter() - wall)
    histories = restored.histories
    memory = getsizeof(histories) + sum(getsizeof(key) + getsizeof(one) for key, one in histories.items())
    members = len(histories)
    return run, Size(members, restored.records, restored.size / members, memory / members)


def on_disk(home: Path, topic: str) -> int:
    """Bytes of the partition's log."""
    return sum(file.stat().st_size for file in home.glob(f"data/{topic}-{PARTITION}/*.log"))


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=200_000)
    parser.add_argument("--events-per-member", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    console = Console(highlight=False)
    read_raw_names()  # as in a worker
    with TemporaryDirectory() as directory, KafkaBroker(Path(directory)) as broker:
        settings = local_settings(broker.bootstrap)
        create_topics(broker, settings)
        total = options.members * options.events_per_member
        records = changelog(options.members, options.events_per_member)
        asyncio.run(write(settings, iter(track(records, "writing histories", total, console=console))))
        log = on_disk(Path(directory), settings.changelog_topic)
        runs, sizes = zip(*(asyncio.run(measured(settings)) for _ in range(options.runs)), strict=True)
    size = sizes[-1]
    console.print(
        f"{size.members:,} members, {size.records:,} records, {log / 2**20:.0f} MiB of log; "
        f"a member: {size.stored:,.0f} bytes stored, {size.memory:,.0f} in memory with its key"
    )
    table = Table("run", "CPU s", "wall s", "members/s by CPU", "members/s by wall", box=None)
    for number, run in enumerate(runs, 1):
        table.add_row(str(number), *cells(run, size.members))
    middle = Run(*(median(values) for values in zip(*runs, strict=True)))
    table.add_row("median", *cells(middle, size.members), style="bold")
    console.print(table)
    console.print(f"target: 200,000 members in less than {TARGET_SECONDS} s on one core")
    console.print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", style="dim")


def cells(run: Run, members: int) -> list[str]:
    return [
        f"{run.cpu:.2f}",
        f"{run.wall:.2f}",
        f"{members / run.cpu:,.0f}",
        f"{members / run.wall:,.0f}",
    ]


if __name__ == "__main__":
    main()
