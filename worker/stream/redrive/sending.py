"""Redriving: dead letters go to the input topic once more, each once, however often that is interrupted.

Each partition has a transactional producer whose id follows from the ledger's name alone. To start it ends
whatever an earlier redrive of the partition has left open and fences one that still runs: where two meet on
a partition, the one that came there first ends. Only then is the ledger read, so it holds all that any other
redrive has delivered, or ever will.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import TopicPartition

from worker.adjudication.redacted import redacted
from worker.stream.bounded import reader
from worker.stream.deadletters import cannot_open, opened, taken_apart
from worker.stream.errors import Refused
from worker.stream.outgoing import Outgoing
from worker.stream.redrive.ledger import Ledger, entry_of, ledger_topic, read_ledger
from worker.stream.redrive.letter import fault_of
from worker.stream.redrive.selection import selected
from worker.stream.sealing.closed import CannotOpen
from worker.stream.sealing.opening import opener_of
from worker.stream.transactions.producer import TransactionalProducer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
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

    def add(self, letter: Letter, outgoing: Outgoing) -> None:
        """Count a letter that is delivered."""
        if letter.why is not None:
            self.delivered[letter.why.reason] += 1
        self.bytes += outgoing.size

    def leave(self, letter: Letter, why: str) -> None:
        """Count a letter that cannot be delivered."""
        self.left.append(Left(letter.partition, letter.offset, why))


class Redrive(NamedTuple):
    """What is to be done: which letters, those in the ledger too (``again``) or not, by whose clock."""

    settings: Settings
    selection: Selection
    again: bool
    now: Callable[[], datetime]

    def is_done(self, letter: Letter, ledger: Ledger) -> bool:
        """Whether a letter is left because it was redriven before."""
        return not self.again and ledger.redriven_at(letter) is not None


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
    """Count into ``outcome`` what a redrive of its partition would deliver now; writes nothing.

    Whether the input topic takes a record of that size is not known before it is sent.
    """
    async with reader(redrive.settings) as consumer:
        ledger = Ledger()
        if has_ledger:
            ledger = await read_ledger(consumer, outcome.partition, redrive.settings)
        async for record, letter in _deliverable(consumer, redrive, outcome):
            if redrive.is_done(letter, ledger):
                outcome.before += 1
            else:
                outcome.add(letter, redriven(record, 0))


async def execute(redrive: Redrive, outcome: Outcome) -> None:
    """Deliver the letters of a partition in their order, and count into ``outcome`` what is committed.

    A letter that the input topic does not take for its size is left, and those behind it are delivered.
    Raises Fenced if another redrive has come to the partition or the broker has ended a transaction that took
    too long, Refused if the ledger cannot be read or a letter is sealed and no key is named, and what Kafka
    raises. What was committed stays so, and a redrive that is run again goes on behind it.
    """
    delivery = _Delivery(redrive, outcome)
    try:
        await delivery.begin()
        async with reader(redrive.settings) as consumer:
            async for record, letter in _deliverable(consumer, redrive, outcome):
                await delivery.take(record, letter)
            await delivery.commit()
    finally:
        await delivery.close()


async def _deliverable(
    consumer: AIOKafkaConsumer, redrive: Redrive, outcome: Outcome
) -> AsyncIterator[tuple[ConsumerRecord, Letter]]:
    """The letters that are meant and can go back, opened; those that cannot are counted."""
    opener = opener_of(redrive.settings)
    async for record, letter in selected(consumer, outcome.partition, redrive.selection, redrive.settings):
        fault = fault_of(letter, redrive.settings)
        if fault is not None:
            outcome.leave(letter, fault)
            continue
        try:
            plain = opened(record, opener)
        except CannotOpen as closed:
            if redrive.settings.sealing_keys_dir is None:  # no other one could be opened either
                raise Refused(cannot_open(record, closed)) from None
            outcome.leave(letter, f"its value {closed}")
        else:
            yield plain, letter


@redacted
class _Sending(NamedTuple):
    """A letter that is to be delivered, and the record that it becomes."""

    letter: Letter
    outgoing: Outgoing


class _Delivery:
    """The delivery of one partition's letters, some in a transaction."""

    def __init__(self, redrive: Redrive, outcome: Outcome) -> None:
        self._redrive = redrive
        self._outcome = outcome
        self._ledger = Ledger()
        settings, partition = redrive.settings, outcome.partition
        place = TopicPartition(settings.dead_letter_topic, partition)
        self._producer = TransactionalProducer(place, settings, f"{ledger_topic(settings)}-{partition}")
        self._batch: list[_Sending] = []
        self._bytes = 0

    async def begin(self) -> None:
        """Start the producer, anew if it cannot go on, and then read what was redriven.

        Each time: before it was started anew another redrive may have been here.
        """
        await self.close()
        await self._producer.start()
        async with reader(self._redrive.settings) as consumer:
            self._ledger = await read_ledger(consumer, self._outcome.partition, self._redrive.settings)

    async def close(self) -> None:
        """Be rid of the producer; what it has not committed is not delivered."""
        await self._producer.close()

    async def take(self, record: ConsumerRecord, letter: Letter) -> None:
        """Take a letter in that was not redriven before; where there is no room for it, after a commit."""
        outgoing = redriven(record, round(self._redrive.now().timestamp() * 1000))
        if len(self._batch) == MOST_RECORDS or self._bytes + outgoing.size > MOST_BYTES:
            await self.commit()
        if self._redrive.is_done(letter, self._ledger):
            self._outcome.before += 1
            return
        self._batch.append(_Sending(letter, outgoing))
        self._bytes += outgoing.size

    async def commit(self) -> None:
        """Deliver what was taken in. Where that is too large for the input topic, each letter goes alone."""
        batch, self._batch, self._bytes = self._batch, [], 0
        if not batch:
            return
        try:
            await self._deliver(batch)
        except Refused:
            await self.begin()
            for sending in batch:
                await self._deliver_alone(sending)

    async def _deliver_alone(self, sending: _Sending) -> None:
        if self._redrive.is_done(sending.letter, self._ledger):
            self._outcome.before += 1
            return
        try:
            await self._deliver([sending])
        except Refused as refused:
            _, _, why = str(refused).partition(": ")  # what comes before it is the letter's place
            self._outcome.leave(sending.letter, why)
            await self.begin()

    async def _deliver(self, batch: Sequence[_Sending]) -> None:
        """Deliver letters together with their entries in the ledger, in one transaction.

        Raises Refused if a record is larger than its topic takes, or if a batch of them is.
        """
        settings = self._redrive.settings
        outputs = {
            settings.input_topic: [outgoing for _, outgoing in batch],
            ledger_topic(settings): [
                entry_of(letter, outgoing.timestamp, settings) for letter, outgoing in batch
            ],
        }
        await self._producer.commit(outputs, None)
        for letter, outgoing in batch:
            self._outcome.add(letter, outgoing)
