"""Dead letters counted: of each reason, how many there are and how many of them were redriven."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import TopicPartition

from worker.stream.bounded import reader, up_to_end
from worker.stream.records import read_raw_names
from worker.stream.redrive.ledger import Ledger, ledger_topic
from worker.stream.redrive.letter import letter_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    from worker.settings import Settings
    from worker.stream.status.tails import Span

REASON = re.compile(r"[a-z_]{1,40}")
"""What a foreign record may say in its place is not shown."""
READERS = 4
"""Partitions that are read at a time."""


class Count(NamedTuple):
    """Letters of one reason."""

    letters: int = 0
    redriven: int = 0


Counts = dict[str | None, Count]
"""By reason; None are records that no worker has set aside."""


class LetterCounter:
    """Counts a topic's dead letters; a partition where nothing was written since is not read again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[int, tuple[Span, Span | None, Counts]] = {}

    async def count(self, letters: Mapping[int, Span], ledger: Mapping[int, Span]) -> Counts:
        """All letters within these spans, by partition; ``ledger`` has what was redriven of them."""
        changed = [
            number
            for number, span in letters.items()
            if self._known.get(number, ())[:2] != (span, ledger.get(number)) and span.first < span.end
        ]
        read_raw_names()
        waiting = iter(changed)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(READERS, len(changed))):
                    group.create_task(self._read(waiting, letters, ledger))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        total: Counts = {}
        for number in [number for number, span in letters.items() if span.first < span.end]:
            for reason, count in self._known[number][2].items():
                before = total.get(reason, Count())
                total[reason] = Count(before.letters + count.letters, before.redriven + count.redriven)
        return total

    async def _read(
        self, waiting: Iterator[int], letters: Mapping[int, Span], ledger: Mapping[int, Span]
    ) -> None:
        async with reader(self._settings) as consumer:
            for number in waiting:
                counts = await self._counted(consumer, number, letters[number], ledger.get(number))
                self._known[number] = letters[number], ledger.get(number), counts

    async def _counted(
        self, consumer: AIOKafkaConsumer, number: int, letters: Span, noted: Span | None
    ) -> Counts:
        settings, redriven, counts = self._settings, Ledger(), Counts()
        if noted is not None:
            async for record in _records(consumer, ledger_topic(settings), number, noted, settings):
                redriven.note(record)
        async for record in _records(consumer, settings.dead_letter_topic, number, letters, settings):
            letter = letter_of(record)
            reason = letter.why.reason if letter.why and REASON.fullmatch(letter.why.reason) else None
            before = counts.get(reason, Count())
            again = redriven.redriven_at(letter) is not None
            counts[reason] = Count(before.letters + 1, before.redriven + again)
        return counts


async def _records(
    consumer: AIOKafkaConsumer, topic: str, number: int, span: Span, settings: Settings
) -> AsyncIterator[ConsumerRecord]:
    place = TopicPartition(topic, number)
    async for some in up_to_end(consumer, place, settings.request_timeout_s, span.first, span.end):
        for record in some:
            yield record
