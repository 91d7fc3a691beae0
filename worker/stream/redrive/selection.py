"""Which dead letters are meant, and reading them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aiokafka import TopicPartition

from worker.stream.bounded import up_to_end
from worker.stream.redrive.letter import letter_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    from worker.settings import Settings
    from worker.stream.redrive.letter import Letter


class Selection(NamedTuple):
    """Every condition must hold; one that is empty or None always does.

    What is counted *from* is inclusive, what is counted *to* exclusive.
    """

    reasons: frozenset[str] = frozenset()
    partitions: frozenset[int] = frozenset()
    offsets: frozenset[int] = frozenset()
    """Offsets here and below are those of the dead letters, not of their input records."""
    from_offset: int | None = None
    to_offset: int | None = None
    from_ms: int | None = None
    """Times are of the dead letter's timestamp, which is its input record's, in milliseconds since 1970."""
    to_ms: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is meant; one without a reason is not where reasons are asked for."""
        return (
            (not self.reasons or (letter.why is not None and letter.why.reason in self.reasons))
            and (not self.partitions or letter.partition in self.partitions)
            and (not self.offsets or letter.offset in self.offsets)
            and _within(letter.offset, self.from_offset, self.to_offset)
            and _within(letter.timestamp, self.from_ms, self.to_ms)
        )

    @property
    def first_offset(self) -> int:
        """No letter before it is meant."""
        return max(self.from_offset or 0, min(self.offsets, default=0))

    @property
    def last_offset(self) -> int | None:
        """No letter behind it is meant; None where there is no such bound."""
        last = [max(self.offsets)] if self.offsets else []
        if self.to_offset is not None:
            last.append(self.to_offset - 1)
        return min(last, default=None)


def _within(value: int, first: int | None, end: int | None) -> bool:
    return (first is None or value >= first) and (end is None or value < end)


async def selected(
    consumer: AIOKafkaConsumer, partition: int, selection: Selection, settings: Settings
) -> AsyncIterator[tuple[ConsumerRecord, Letter]]:
    """The letters of a partition that are meant, in their order, of those that are there when it begins."""
    place = TopicPartition(settings.dead_letter_topic, partition)
    last = selection.last_offset
    async for records in up_to_end(consumer, place, settings.request_timeout_s, selection.first_offset):
        for record in records:
            if last is not None and record.offset > last:
                return
            letter = letter_of(record)
            if selection.takes(letter):
                yield record, letter
