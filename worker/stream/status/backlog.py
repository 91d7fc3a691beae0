"""The oldest record that is not decided yet: how long things have waited."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from worker.stream.records import Records
from worker.stream.status.asking import COMMITTED, Part
from worker.stream.status.batch import batches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import TopicPartition

    from worker.stream.status.asking import Asking, Fetched
    from worker.stream.status.batch import Batch
    from worker.stream.status.tails import Span

MOST_LOOKS = 64
"""Looks after which the oldest record stays unknown: so many markers and aborted batches lie before it."""


class Oldest(NamedTuple):
    """The first record of a span that somebody may read; ``ms`` is its time since 1970, -1 without one."""

    offset: int
    ms: int


async def oldest(asking: Asking, spans: Mapping[TopicPartition, Span]) -> dict[TopicPartition, Oldest | None]:
    """The oldest record of each span, None where it holds none: markers and aborted records do not count.

    A partition of which it cannot be told is left out.
    """
    at = {place: span.first for place, span in spans.items() if span.first < span.end}
    found: dict[TopicPartition, Oldest | None] = dict.fromkeys(spans.keys() - at.keys())
    within: dict[TopicPartition, Batch] = {}
    for _ in range(MOST_LOOKS):
        if not at:
            break
        answers = await asking.fetched({place: Part(offset) for place, offset in at.items()}, COMMITTED)
        for place, fetched in answers.items():
            offset, batch = _readable(fetched, at[place])
            if offset >= spans[place].end or not fetched.content:
                found[place] = None
            elif batch is None:
                at[place] = offset
                continue
            elif batch.base_offset >= offset:
                found[place] = Oldest(batch.base_offset, batch.first_ms)
            else:
                within[place] = batch
            del at[place]
    return found | await _within(asking, spans, within)


def _readable(fetched: Fetched, offset: int) -> tuple[int, Batch | None]:
    """From which offset on to read, and the batch there; none if that was not fetched."""
    aborted = fetched.aborted
    for batch in batches(fetched.content):
        begun = {one for one in aborted if one[0] == batch.producer and one[1] <= batch.base_offset}
        if batch.is_control:
            aborted -= begun  # it ends what its producer had begun before
        elif batch.records > 0 and not (batch.is_transactional and begun):
            return max(offset, batch.base_offset), batch
        offset = batch.next_offset
    return offset, None


async def _within(
    asking: Asking, spans: Mapping[TopicPartition, Span], batches_of: Mapping[TopicPartition, Batch]
) -> dict[TopicPartition, Oldest | None]:
    """The first record from where a span begins within a batch: its header does not tell that one's time."""
    found: dict[TopicPartition, Oldest | None] = {}
    for place, batch in batches_of.items():
        answer = await asking.fetched({place: Part(batch.base_offset, batch.bytes)})
        content = answer[place].content
        if len(content) < batch.bytes:  # it was cut off meanwhile
            continue
        for record in Records(content[: batch.bytes]).next_batch():
            if record.offset >= spans[place].first:
                found[place] = Oldest(record.offset, record.timestamp)
                break
    return found
