"""The end of a partition that lanes write: when its last transaction was committed, and its last record.

The brokers write a marker behind each transaction, and date it by their own clock. (The records have the
time of the event that caused them.) Markers are looked for backwards from the last stable offset, in all
partitions at once; mostly the first look finds one. In a compacted log there may be holes: then each look
goes twice as far back as the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from worker.stream.status.asking import Part
from worker.stream.status.batch import ABORT, COMMIT, Batch, batches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from aiokafka import TopicPartition

    from worker.stream.status.asking import Asking

MOST_LOOKS = 64
"""Looks after which what was not found stays unknown: the end is full of what was aborted, or foreign."""


class Span(NamedTuple):
    """Offsets from ``first``, with it, to ``end``, without it."""

    first: int
    end: int


class Written(NamedTuple):
    """The batch of a partition's last committed record, and when that was committed."""

    batch: Batch
    committed_ms: int | None
    """None of a record that was written without a transaction."""


class Tail(NamedTuple):
    """What the end of a partition tells; None is unknown. Times are in milliseconds since 1970."""

    committed_ms: int | None
    """When the last transaction was committed that wrote there."""
    last: Written | None
    """Of partitions where that is asked for."""


async def tails(
    asking: Asking, spans: Mapping[TopicPartition, Span], with_record: Collection[TopicPartition] = ()
) -> dict[TopicPartition, Tail]:
    """The tails of partitions, whose spans end at their last stable offsets."""
    walks = {place: _Walk(span, wants_record=place in with_record) for place, span in spans.items()}
    for _ in range(MOST_LOOKS):
        parts = {place: Part(walk.at) for place, walk in walks.items() if not walk.is_done}
        if not parts:
            break
        for place, fetched in (await asking.fetched(parts)).items():
            walks[place].take(batches(fetched.content))
    return {place: walk.tail for place, walk in walks.items()}


class _Walk:
    """One partition, backwards."""

    def __init__(self, span: Span, *, wants_record: bool) -> None:
        self._first = span.first
        self._edge = span.end
        """All from there on was seen."""
        self._step = 1
        self._chain: list[Batch] = []
        """What was found before the edge, in order, as long as more may lie between."""
        self._wants_record = wants_record
        self._aborted: set[int] = set()
        self._committed: dict[int, int] = {}
        """By producer, when its transaction was committed that lies before."""
        self.tail = Tail(None, None)

    @property
    def at(self) -> int:
        """The offset to look at next."""
        return self._chain[-1].next_offset if self._chain else max(self._first, self._edge - self._step)

    @property
    def is_done(self) -> bool:
        """Whether all is found that is asked for, or the log's beginning is reached."""
        if self._edge <= self._first:
            return True
        return self.tail.committed_ms is not None and (self.tail.last is not None or not self._wants_record)

    def take(self, found: Iterable[Batch]) -> None:
        """Take in what lies at the offset looked at, and behind it."""
        new = [batch for batch in found if batch.base_offset < self._edge]
        if not new and not self._chain:
            self._further_back()
            return
        self._chain += new
        if not new or self._chain[-1].next_offset >= self._edge:
            for batch in reversed(self._chain):
                self._see(batch)
            self._edge, self._step, self._chain = self._chain[0].base_offset, 1, []

    def _further_back(self) -> None:
        if self.at <= self._first:
            self._edge = self._first
        self._step *= 2

    def _see(self, batch: Batch) -> None:
        tail = self.tail
        if not batch.is_control:
            is_aborted = batch.is_transactional and batch.producer in self._aborted
            if self._wants_record and tail.last is None and batch.records > 0 and not is_aborted:
                committed = self._committed.get(batch.producer) if batch.is_transactional else None
                self.tail = tail._replace(last=Written(batch, committed))
            return
        # Of an emptied marker nobody knows which it was, and what it ended is gone.
        self._aborted.discard(batch.producer)
        if batch.marker == ABORT:
            self._aborted.add(batch.producer)
        if batch.marker == COMMIT:
            self._committed[batch.producer] = batch.last_ms
            if tail.committed_ms is None:
                self.tail = tail._replace(committed_ms=batch.last_ms)
