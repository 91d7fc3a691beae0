"""Reading a partition up to where it ends now, without a group: what is committed, and all of that."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer

from worker.stream.connection import connection
from worker.stream.tasks import ended_within, outlive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiokafka import ConsumerRecord, TopicPartition

    from worker.settings import Settings

FETCH_BYTES = 4 << 20
"""Most that one fetch brings, compressed; it is unpacked a batch at a time. A larger batch comes alone."""
MOST_RECORDS = 1000
"""Records that are handed on before other tasks of the process have their turn."""
POLL_MS = 20
STOP_S = 1.0


@asynccontextmanager
async def reader(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group, for ``up_to_end``; of one partition after the other if need be."""
    consumer = AIOKafkaConsumer(
        **connection(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        # Where a log begins is asked for below. One that is cut while it is read is to be read anew.
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


async def up_to_end(
    consumer: AIOKafkaConsumer,
    place: TopicPartition,
    patience: float,
    start: int = 0,
    end: int | None = None,
) -> AsyncIterator[list[ConsumerRecord]]:
    """The records of a partition, some at a time, from its beginning or from offset ``start`` on.

    The end is that of all records when the reading begins, open transactions included: what was committed
    behind another producer's open transaction is not left out, but waited for. Raises TimeoutError when the
    position stands still for longer than ``patience`` seconds, and what aiokafka raises.

    The end is the larger of two. The first fetch tells the end of all records, open transactions included,
    but just after an election the leader may tell one that is too small. The other is asked for, which a
    leader answers only when it knows (KIP-207), but it leaves out what lies behind an open transaction.

    How far the reading has come is told by the position, since behind the last record there may be markers,
    aborted records and what compaction has left out.

    With a given ``end`` the records are those from ``start`` up to and without it, and no others instead:
    where the log does not have ``start`` any more, or not yet, it is OffsetOutOfRangeError.
    """
    stable_end, given = 0, end
    if end is None:
        async with asyncio.timeout(patience):
            stable_end = await _seek(consumer, place, start)
    elif start < end:
        consumer.assign([place])
        consumer.seek(place, start)
    else:
        return
    stands, since = -1, time.monotonic()
    while end is None or stands < end:
        fetched = await consumer.getmany(place, timeout_ms=POLL_MS, max_records=MOST_RECORDS)
        if records := _before(given, fetched.get(place, [])):
            yield records
            since = time.monotonic()  # what the caller did with them took time of its own
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


def _before(end: int | None, records: list[ConsumerRecord]) -> list[ConsumerRecord]:
    """Those before ``end``, of records in order."""
    if end is None or not records or records[-1].offset < end:
        return records
    return [record for record in records if record.offset < end]


async def _seek(consumer: AIOKafkaConsumer, place: TopicPartition, start: int) -> int:
    """Go to ``start`` if the log has it, else to its nearer end; returns the end of its stable records."""
    first = (await consumer.beginning_offsets([place]))[place]
    end: int = (await consumer.end_offsets([place]))[place]
    consumer.assign([place])
    consumer.seek(place, max(first, min(start, end)))
    return end
