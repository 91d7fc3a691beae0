"""Dead letters to redrive: set aside as the worker does it, and the command that sends them once more."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from tests.stream.streamkit import Stream
from worker.adjudication import Rejected
from worker.adjudication.decode import Headers
from worker.devkit.process import run
from worker.stream.deadletters import dead_letter
from worker.stream.outgoing import Outgoing
from worker.stream.redrive.ledger import ledger_topic
from worker.stream.transactions.producer import TransactionalProducer

SENT_MS = 1_700_000_000_000
"""When the records were sent that became dead letters, unless a test says otherwise."""
COMMAND_S = 60.0
LAUNCHER = Path(__file__).with_name("launch_redrive_that_halts.py")


class Record(NamedTuple):
    """A record that came in and is set aside; its offset is its place among those of its partition."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    reason: str = "unknown_claim"
    timestamp: int = SENT_MS


def numbered(count: int, prefix: str = "record") -> list[Record]:
    return [Record(b"key", f"{prefix} {number}".encode()) for number in range(count)]


def letters(records: Iterable[Record], stream: Stream, partition: int) -> list[Outgoing]:
    """The dead letters that the worker makes of the records."""
    topic = stream.settings.input_topic
    return [
        dead_letter(
            ConsumerRecord(
                topic, partition, offset, record.timestamp, 0, record.key, record.value, None, 0, 0,
                tuple(record.headers),
            ),
            Rejected(record.reason, f"$.data[{offset}]", "what is wrong"),  # type: ignore[arg-type]  a later release may have another
        )
        for offset, record in enumerate(records)
    ]  # fmt: skip


async def write(stream: Stream, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
    """Write records in one transaction, as a lane of the partition does."""
    producer = TransactionalProducer(TopicPartition(topic, partition), stream.settings)
    await producer.start()
    await producer.commit({topic: records}, None)
    await producer.close()


async def set_aside(stream: Stream, records: Sequence[Record], partition: int = 0) -> None:
    """Put the dead letters of the records on a partition; their offsets there count from 0."""
    topic = stream.settings.dead_letter_topic
    await write(stream, topic, partition, letters(records, stream, partition))


async def dlq(stream: Stream, *arguments: str) -> CompletedProcess[str]:
    """``mms-worker dlq`` to its end; what it printed is all in ``stdout``."""
    return await asyncio.to_thread(run, stream.command("dlq", *arguments), COMMAND_S)


async def redrive(stream: Stream, *arguments: str) -> CompletedProcess[str]:
    return await dlq(stream, "redrive", "--execute", *arguments)


async def redriven(stream: Stream) -> dict[int, list[ConsumerRecord]]:
    """What is committed in the input topic."""
    return await stream.read(stream.settings.input_topic)


async def noted(stream: Stream) -> dict[int, list[int]]:
    """Offsets of the dead letters that the ledger has, by partition."""
    found = defaultdict(list)
    for partition, entries in (await stream.read(ledger_topic(stream.settings))).items():
        found[partition] = [int(entry.key or b"") for entry in entries]
    return found
