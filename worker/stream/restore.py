"""Reading a partition's member histories back from the changelog."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from worker.adjudication.stored import VERSION, version_of
from worker.stream.connection import connection
from worker.stream.errors import Refused
from worker.stream.markers import pass_emptied_markers
from worker.stream.tasks import ended_within, outlive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiokafka import ConsumerRecord

    from worker.settings import Settings

FETCH_BYTES = 4 << 20
"""Most that one fetch brings, compressed; it is unpacked a batch at a time. A larger batch comes alone."""
MOST_RECORDS = 1000
"""Records that are taken in before other tasks of the process have their turn."""
POLL_MS = 20
STOP_S = 1.0


class Restored(NamedTuple):
    """The histories of a partition's members, and what reading them took."""

    histories: dict[bytes, bytes]
    """By the member's key, as they are stored."""
    records: int
    """Records read, with those that later ones have replaced."""
    seconds: float

    @property
    def size(self) -> int:
        """Bytes of the histories; counted anew each time."""
        return sum(map(len, self.histories.values()))


async def restore(partition: int, settings: Settings, *, only: bytes | None = None) -> Restored:
    """The committed histories of all members of a partition, or of the ``only`` one whose key is given.

    Reads from the log's beginning to where it ends now. That is the end of all records, open transactions
    included: histories that were committed behind another producer's open transaction are not left out, but
    waited for. Raises Refused for a history of a version that this worker does not know, unless a later one
    has replaced it; TimeoutError when the position stands still for longer than the settings' request
    timeout; and what aiokafka raises.
    """
    began = time.monotonic()
    place = TopicPartition(settings.changelog_topic, partition)
    fold = _Fold(place, only)
    async with _consumer(settings) as consumer:
        async with asyncio.timeout(settings.request_timeout_s):
            end = await _seek_beginning(consumer, place)
        await _read(consumer, place, end, fold, settings.request_timeout_s)
    fold.refuse_unknown()
    return Restored(fold.histories, fold.records, time.monotonic() - began)


class _Fold:
    """The last history of every key, record by record."""

    def __init__(self, place: TopicPartition, only: bytes | None) -> None:
        self.histories: dict[bytes, bytes] = {}
        self.records = 0
        self._place = place
        self._only = only
        self._unknown: dict[bytes, tuple[int, int | None]] = {}
        """Offset and version, by key, of last histories that this worker does not know."""

    def take(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        histories, unknown = self.histories, self._unknown
        self.records += len(records)
        for record in records:
            key, state = record.key, record.value
            if self._only is not None and key != self._only:
                continue
            if unknown:
                unknown.pop(key, None)
            if state is None:
                histories.pop(key, None)
            else:
                histories[key] = state
                # An empty history has no version: it is not known either.
                if state[:1] != _KNOWN:
                    unknown[key] = record.offset, version_of(state)

    def refuse_unknown(self) -> None:
        """Raise Refused if a history that is the last of its member is of a version not known here."""
        if not self._unknown:
            return
        offset, version = min(self._unknown.values())
        found = "no version" if version is None else f"version {version}"
        raise Refused(
            f"partition {self._place.partition} of {self._place.topic}: the history at offset {offset} has "
            f"{found}, this worker knows version {VERSION} ({len(self._unknown)} such histories there); "
            "run the release of the worker that wrote it, or a later one"
        )


_KNOWN = bytes([VERSION])


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group."""
    pass_emptied_markers()
    consumer = AIOKafkaConsumer(
        **connection(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        # Where the log begins is asked for below. One that is cut while it is read is to be read anew.
        auto_offset_reset="none",
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    try:
        async with asyncio.timeout(settings.request_timeout_s):
            await consumer.start()
        yield consumer
    finally:
        # It ends even if the caller is cancelled while waiting for that.
        await asyncio.shield(outlive(ended_within(STOP_S, consumer.stop())))


async def _seek_beginning(consumer: AIOKafkaConsumer, place: TopicPartition) -> int:
    """Go to the beginning of the log; returns the offset behind its last stable record."""
    first = await consumer.beginning_offsets([place])
    end = await consumer.end_offsets([place])
    consumer.assign([place])
    consumer.seek(place, first[place])
    return int(end[place])


async def _read(
    consumer: AIOKafkaConsumer, place: TopicPartition, stable_end: int, fold: _Fold, patience: float
) -> None:
    """Feed ``fold`` up to the end of the log.

    Its end is the larger of two. The first fetch tells the end of all records, open transactions included,
    but just after an election the leader may tell one that is too small. ``stable_end`` was asked for, which
    a leader answers only when it knows (KIP-207), but it leaves out what lies behind an open transaction.

    How far it has come is told by the position, since behind the last record there may be markers, aborted
    records and what compaction has left out.
    """
    end = None
    stands, since = -1, time.monotonic()
    while end is None or stands < end:
        fetched = await consumer.getmany(place, timeout_ms=POLL_MS, max_records=MOST_RECORDS)
        fold.take(fetched.get(place, ()))
        if end is None and (told := consumer.highwater(place)) is not None:
            end = max(told, stable_end)
        position = await consumer.position(place)
        if position > stands:
            stands, since = position, time.monotonic()
        elif time.monotonic() - since > patience:
            raise TimeoutError(
                f"partition {place.partition} of {place.topic}: nothing came behind offset {stands} for "
                f"{patience:g} s, though the log ends at {'an unknown offset' if end is None else end}"
            )
        await asyncio.sleep(0)  # while there are records, nothing above waits for anything
