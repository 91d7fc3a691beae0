"""The load of a run: a producer with seeded members, whose records come steadily until it is told to stop."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import cycle, islice

import orjson
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import RecordMetadata

from tests.chaos.evidence import Seen, Sent, digest_of
from tests.stream.streamkit import Input, partition
from worker.devkit.claims.histories import stream as endless
from worker.devkit.generator import bad_records
from worker.settings import Settings

RATE = 60
"""Records a second."""
TICK_S = 0.25
"""Longest time between two bursts; their times and sizes are drawn."""
EVENTS_PER_MEMBER = 10
BAD_EVERY = 40
"""Of so many records one breaks the contract, beside the strays among the others."""
KINDS_OF_BAD = 70
BATCH_BYTES = 1 << 19
"""Room for what waits for a broker: no record waits for room, so their order stays."""
PATIENCE_MS = 60_000
"""How long a record waits for its broker: longer than any fault."""
HEADERS = (("content-type", b"application/cloudevents+json"), ("traceparent", b"00-chaos"))


def records(seed: int, members: int) -> Iterator[Input]:
    """The endless input of a seed: histories of so many members, with what becomes a dead letter among it."""
    bad = cycle(bad_records(KINDS_OF_BAD, seed))
    for number, event in enumerate(endless(seed, members, strays=True), 1):
        yield Input(event["data"]["member_id"].encode(), orjson.dumps(event), headers=HEADERS)
        if number % BAD_EVERY == 0:
            spoiled = next(bad)
            yield Input(spoiled.key, spoiled.value, headers=HEADERS)


class Load:
    """Sends, and keeps what the brokers acknowledge."""

    def __init__(self, settings: Settings, seed: int, minutes: float) -> None:
        self.unknown = 0
        """Records of which the brokers have told nothing."""
        self._settings = settings
        self._chance = random.Random(f"load {seed}")  # noqa: S311  nothing is guarded by it
        members = max(100, round(RATE * 60 * minutes / EVENTS_PER_MEMBER))
        self._records = records(seed, members)
        self._acknowledged: defaultdict[TopicPartition, list[Seen]] = defaultdict(list)
        self._stopping = asyncio.Event()
        self._has_failed = False

    @property
    def evidence(self) -> Sent:
        """What is known of all that was sent."""
        return Sent(self._acknowledged, self.unknown)

    def ends(self) -> dict[int, int]:
        """Where the input ends in each partition, as far as the brokers have acknowledged it."""
        return {place.partition: seen[-1].offset + 1 for place, seen in self._acknowledged.items() if seen}

    def stop(self) -> None:
        """Send no more; ``run`` ends when everything is acknowledged."""
        self._stopping.set()

    async def run(self) -> None:
        """Send until ``stop``. A producer that has failed is followed by a new one."""
        while not self._stopping.is_set():
            self._has_failed = False
            async with self._producer() as producer:
                while not self._stopping.is_set() and not self._has_failed:
                    await self._burst(producer)

    def _producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap_servers,
            enable_idempotence=True,
            acks="all",
            linger_ms=5,
            max_batch_size=BATCH_BYTES,
            compression_type="lz4",
            request_timeout_ms=PATIENCE_MS,
        )

    async def _burst(self, producer: AIOKafkaProducer) -> None:
        pause = self._chance.uniform(0, TICK_S)
        for record in islice(self._records, round(pause * RATE)):
            place = TopicPartition(self._settings.input_topic, partition(record, self._settings.partitions))
            now = time.time_ns() // 1_000_000
            delivery = await producer.send(
                place.topic,
                record.value,
                key=record.key,
                partition=place.partition,
                headers=list(record.headers),
                timestamp_ms=now,
            )
            what = digest_of(record.key, record.value, now, record.headers)
            delivery.add_done_callback(partial(self._told, place, what))
        await asyncio.sleep(pause)

    def _told(self, place: TopicPartition, what: bytes, delivery: asyncio.Future[RecordMetadata]) -> None:
        """Note what the brokers say of a record, if they say anything of use."""
        if delivery.cancelled() or delivery.exception() is not None:
            self._has_failed = True
            self.unknown += 1
        elif delivery.result().offset < 0:  # it is there already, and nobody remembers where
            self.unknown += 1
        else:
            self._acknowledged[place].append(Seen(delivery.result().offset, what))
