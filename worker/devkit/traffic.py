"""Sends events to the worker as a platform would, and reads what comes out as a consumer would."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from worker.devkit.claims import Event
from worker.devkit.claims.bad import BadRecord
from worker.devkit.tally import Tally
from worker.settings import Settings

BURSTS = 30
LEAST_BURST = 10
BURST_SECONDS = 0.1
"""Records go out in at most 30 bursts, one every tenth of a second: people can watch, and need not wait."""
STRUCTURED = [("content-type", b"application/cloudevents+json")]


class Outgoing(NamedTuple):
    """A record to send: an event, which is written with the time of its sending, or a bad record's value."""

    key: bytes
    event: Event | None
    value: bytes = b""

    @property
    def plain(self) -> bytes:
        """The value as it is before the time of its sending is written into it."""
        return self.value if self.event is None else orjson.dumps(self.event)


def mixed(bad: Sequence[BadRecord], *streams: Sequence[Event]) -> list[Outgoing]:
    """The streams of events with the bad records among them, each spread evenly and in its own order."""
    good = [[Outgoing(event["data"]["member_id"].encode(), event) for event in stream] for stream in streams]
    spoiled = [Outgoing(record.key, None, record.value) for record in bad]
    places = [
        ((place + 0.5) / len(records), record)
        for records in (*good, spoiled)
        for place, record in enumerate(records)
    ]
    return [record for _, record in sorted(places, key=itemgetter(0))]


async def exchange(
    settings: Settings,
    records: Sequence[Outgoing],
    tally: Tally,
    watch: Callable[[], None],
    *,
    checksums: bool,
) -> None:
    """Send the records and read until every answer has come; ``watch`` is called several times a second.

    ``checksums`` is off for the embedded broker, whose transaction markers come without valid ones.
    Ends by cancellation when answers do not come: the caller sets the deadline. Raises KafkaError when the
    broker fails.
    """
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        check_crcs=checksums,
    )
    consumer.assign(
        [
            TopicPartition(topic, partition)
            for topic in (settings.results_topic, settings.dead_letter_topic)
            for partition in range(settings.partitions)
        ]
    )
    async with producer, consumer:
        publishing = asyncio.create_task(_publish(producer, settings.input_topic, records, tally))
        try:
            while not (_done(publishing) and tally.complete):
                for partition, arrived in (await consumer.getmany(timeout_ms=100)).items():
                    for record in arrived:
                        _count(record, tally, is_result=partition.topic == settings.results_topic)
                watch()
        finally:
            publishing.cancel()


def _done(task: asyncio.Task[None]) -> bool:
    """Whether it has ended; raises what it raised."""
    return task.done() and task.result() is None


async def _publish(producer: AIOKafkaProducer, topic: str, records: Sequence[Outgoing], tally: Tally) -> None:
    # aiokafka's partitioner is Java's: murmur2 of the key, as the contract asks of every producer.
    size = max(LEAST_BURST, -(-len(records) // BURSTS))
    for start in range(0, len(records), size):
        deliveries = []
        for record in records[start : start + size]:
            value = record.value
            if record.event is not None:
                value = orjson.dumps(record.event | {"time": datetime.now(UTC).isoformat()})
                tally.send(record.event, time.monotonic())
            deliveries.append(await producer.send(topic, value, key=record.key, headers=STRUCTURED))
        await asyncio.gather(*deliveries)
        await asyncio.sleep(BURST_SECONDS)


def _count(record: ConsumerRecord[bytes, bytes], tally: Tally, *, is_result: bool) -> None:
    if is_result:
        tally.result(record.value or b"null", time.monotonic())
    else:
        tally.dead_letter(dict(record.headers)["mms.dlq.reason"].decode())
