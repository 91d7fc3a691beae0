"""Redriving: dead letters go to the input topic once more, each once, however often that is interrupted.

Each partition has a transactional producer whose id follows from the ledger's name alone. To start it ends
whatever an earlier redrive of the partition has left open and fences one that still runs; only then is the
ledger read. So it holds all that any other redrive has delivered, or ever will.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import TopicPartition

from worker.stream.bounded import reader
from worker.stream.deadletters import taken_apart
from worker.stream.redrive.ledger import Ledger, entry_of, ledger_topic, read_ledger
from worker.stream.redrive.letter import fault_of
from worker.stream.redrive.selection import selected
from worker.stream.transaction import Outgoing, TransactionalProducer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    from worker.settings import Settings
    from worker.stream.redrive.letter import Letter
    from worker.stream.redrive.selection import Selection

REDRIVE = "mms.redrive"
"""The header that a redrive adds: topic, partition and offset of the dead letter, with slashes between."""
MOST_RECORDS = 500
MOST_BYTES = 4 << 20
"""What one transaction delivers at most, of keys, values and headers; a larger record goes alone."""


class Left(NamedTuple):
    """A record that was meant and cannot be redriven, and why."""

    partition: int
    offset: int
    why: str


@dataclass
class Outcome:
    """What a redrive of one partition has come to, up to its last commit; or would come to, in a dry run."""

    partition: int
    delivered: Counter[str] = field(default_factory=Counter)
    """Letters by reason."""
    bytes: int = 0
    """Of keys, values and headers."""
    before: int = 0
    """Letters that were redriven before, and are left."""
    left: list[Left] = field(default_factory=list)

    def add(self, letters: list[Letter], outgoing: list[Outgoing]) -> None:
        """Count letters that are delivered."""
        self.delivered.update(letter.why.reason for letter in letters if letter.why is not None)
        self.bytes += sum(record.size for record in outgoing)


class Redrive(NamedTuple):
    """What is to be done: which letters, those in the ledger too (``again``) or not, by whose clock."""

    settings: Settings
    selection: Selection
    again: bool
    now: Callable[[], datetime]


def redriven(record: ConsumerRecord, now_ms: int) -> Outgoing:
    """The record that a dead letter was made of, byte for byte, and the header ``REDRIVE`` behind its own.

    What ``dead_letter`` added is taken off again. A record that was redriven before keeps the headers of
    that, so the last ``REDRIVE`` says where it comes from now, and those before it where it has been.

    Its timestamp is the time of the redrive. The old one may be past the input topic's retention, by which
    the record would be gone before a worker has read it; it stays in the dead letter. The event's own time
    is among its attributes, and they do not change.
    """
    apart = taken_apart(record.headers)
    if apart is None:
        raise ValueError("only a dead letter can be redriven")
    origin = f"{record.topic}/{record.partition}/{record.offset}"
    headers = [*apart[0], (REDRIVE, origin.encode())]
    return Outgoing(record.key, record.value, now_ms, headers, record.offset)


async def plan(redrive: Redrive, outcome: Outcome, *, has_ledger: bool) -> None:
    """Count into ``outcome`` what a redrive of its partition would deliver now; writes nothing."""
    async with reader(redrive.settings) as consumer:
        ledger = Ledger()
        if has_ledger:
            ledger = await read_ledger(consumer, outcome.partition, redrive.settings)
        async for record, letter in _due(consumer, redrive, ledger, outcome):
            outcome.add([letter], [redriven(record, 0)])


async def execute(redrive: Redrive, outcome: Outcome) -> None:
    """Deliver the letters of a partition in their order, and count into ``outcome`` what is committed.

    Raises Fenced if another redrive of the partition has begun, Refused if the input topic does not take a
    record for its size or the ledger cannot be read, and what Kafka raises. What was committed stays so, and
    a redrive that is run again goes on behind it.
    """
    settings, partition = redrive.settings, outcome.partition
    place = TopicPartition(settings.dead_letter_topic, partition)
    producer = TransactionalProducer(place, settings, f"{ledger_topic(settings)}-{partition}")
    try:
        await producer.start()
        async with reader(settings) as consumer:
            ledger = await read_ledger(consumer, partition, settings)
            batch = _Batch(redrive, producer, outcome)
            async for record, letter in _due(consumer, redrive, ledger, outcome):
                await batch.add(record, letter)
            await batch.commit()
    finally:
        await producer.close()


async def _due(
    consumer: AIOKafkaConsumer, redrive: Redrive, ledger: Ledger, outcome: Outcome
) -> AsyncIterator[tuple[ConsumerRecord, Letter]]:
    """The letters that are to be delivered; those that are not are counted."""
    chosen = selected(consumer, outcome.partition, redrive.selection, redrive.settings)
    async for record, letter in chosen:
        fault = fault_of(letter, redrive.settings)
        if fault is not None:
            outcome.left.append(Left(letter.partition, letter.offset, fault))
        elif ledger.redriven_at(letter) is not None and not redrive.again:
            outcome.before += 1
        else:
            yield record, letter


class _Batch:
    """Letters of one transaction."""

    def __init__(self, redrive: Redrive, producer: TransactionalProducer, outcome: Outcome) -> None:
        self._redrive = redrive
        self._producer = producer
        self._outcome = outcome
        self._letters: list[Letter] = []
        self._outgoing: list[Outgoing] = []
        self._bytes = 0

    async def add(self, record: ConsumerRecord, letter: Letter) -> None:
        """Take a letter in, after a commit where there is no more room for it."""
        outgoing = redriven(record, round(self._redrive.now().timestamp() * 1000))
        if len(self._letters) == MOST_RECORDS or self._bytes + outgoing.size > MOST_BYTES:
            await self.commit()
        self._letters.append(letter)
        self._outgoing.append(outgoing)
        self._bytes += outgoing.size

    async def commit(self) -> None:
        """Deliver what was taken in, if anything, together with its entries in the ledger."""
        if not self._letters:
            return
        settings = self._redrive.settings
        entries = [
            entry_of(letter, outgoing.timestamp, settings)
            for letter, outgoing in zip(self._letters, self._outgoing, strict=True)
        ]
        outputs = {settings.input_topic: self._outgoing, ledger_topic(settings): entries}
        await self._producer.commit(outputs, None)
        self._outcome.add(self._letters, self._outgoing)
        self._letters, self._outgoing, self._bytes = [], [], 0
