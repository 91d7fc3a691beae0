"""The ledger: which dead letters were redriven, and when.

One record for each, in a topic beside the dead letters', on the same partition number, and in the transaction
that redrives the letter: what is in the ledger was delivered, and what was delivered is in the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiokafka import TopicPartition

from worker.stream.bounded import up_to_end
from worker.stream.errors import Refused
from worker.stream.outgoing import BATCH_BYTES, Outgoing
from worker.stream.topics import HEADERS_BYTES, TopicSpec, durability

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    from worker.settings import Settings
    from worker.stream.redrive.letter import Letter


class Entry(msgspec.Struct, frozen=True):
    """The value of a ledger record: which letter it was."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """The letter's, in milliseconds. Where the dead letters' topic was made anew, another has its offset.

    Not the same input sent again from the beginning: its letters may lie where they lay, at the same times.
    """


KEPT = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""What the topic's configuration must say, whoever has made it, so that no entry is ever taken away.

An entry has some 100 bytes. A dead letter that outlives its entry would be delivered a second time, and
nothing bounds how long one lives: its retention may be raised, a log is cut by whole segments only, and
where the ledger says nothing of its own the brokers' defaults hold.
"""

_decode = msgspec.json.Decoder(Entry).decode
_encode = msgspec.json.Encoder().encode


class Ledger:
    """What was redriven of one partition."""

    def __init__(self) -> None:
        self._redriven: dict[tuple[int, int], int] = {}

    def note(self, record: ConsumerRecord) -> None:
        """Take a ledger record in. Raises Refused if it is none: nobody knows then what was redriven."""
        try:
            entry = _decode(record.value or b"")
        except msgspec.DecodeError:
            raise Refused(
                f"partition {record.partition} of {record.topic}: the record at offset {record.offset} is no "
                "entry of a redrive, so what was redriven is not known; nothing but a redrive may write there"
            ) from None
        self._redriven[entry.offset, entry.timestamp] = record.timestamp

    def redriven_at(self, letter: Letter) -> int | None:
        """When a letter was redriven last, in milliseconds since 1970; None if it was not."""
        return self._redriven.get((letter.offset, letter.timestamp))


def ledger_topic(settings: Settings) -> str:
    """The ledger's name, which follows from that of the dead letters."""
    return f"{settings.dead_letter_topic}.redriven"


def ledger_spec(settings: Settings, partitions: int) -> TopicSpec:
    """The ledger as it is made."""
    config = {**KEPT, "max.message.bytes": str(BATCH_BYTES + HEADERS_BYTES)}
    return TopicSpec(
        ledger_topic(settings), partitions, settings.replication, config | durability(settings.replication)
    )


async def read_ledger(consumer: AIOKafkaConsumer, partition: int, settings: Settings) -> Ledger:
    """All of a partition's ledger; what an open transaction has written is waited for."""
    ledger = Ledger()
    place = TopicPartition(ledger_topic(settings), partition)
    async for records in up_to_end(consumer, place, settings.request_timeout_s):
        for record in records:
            ledger.note(record)
    return ledger


def entry_of(letter: Letter, now_ms: int, settings: Settings) -> Outgoing:
    """The ledger record of a letter that is redriven now."""
    entry = Entry(settings.dead_letter_topic, letter.partition, letter.offset, letter.timestamp)
    return Outgoing(str(letter.offset).encode(), _encode(entry), now_ms, (), letter.offset)
