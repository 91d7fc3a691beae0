"""aiokafka as it is documented: ``getmany``, ``send`` for each result, all deliveries awaited, commit.

At least once. Tuned: ``linger_ms`` and ``max_batch_size``, which its producer page names for batching, so
that a batch holds hundreds of results; Zstandard, since aiokafka's LZ4 packs as hard and as slowly as it can;
``max_records`` and the size of a fetch, so that a commit is for thousands.
"""

from __future__ import annotations

import asyncio
import signal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.structs import RecordMetadata

from tests.bench.field.fold import Fold
from tests.bench.field.peers.configuration import Configuration, configuration

BATCH = 5000
"""Records at most between two commits."""
WAIT_MS = 200
"""How long to wait for records before looking whether to end."""


async def run(given: Configuration) -> None:
    """Adjudicate until SIGTERM."""
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    fold = Fold()
    async with _producer(given) as producer, _consumer(given) as consumer:
        while not ending.is_set():
            fetched = await consumer.getmany(timeout_ms=WAIT_MS, max_records=BATCH)
            deliveries = [
                delivery
                for records in fetched.values()
                for record in records
                for delivery in await _answer(record, fold, producer, given.results_topic)
            ]
            if fetched:
                await asyncio.gather(*deliveries)
                await consumer.commit()


async def _answer(
    record: ConsumerRecord, fold: Fold, producer: AIOKafkaProducer, topic: str
) -> list[asyncio.Future[RecordMetadata]]:
    return [
        await producer.send(
            topic,
            answer.value,
            key=record.key,
            partition=record.partition,
            timestamp_ms=record.timestamp,
            headers=answer.headers,
        )
        for answer in fold.answer(record.key, record.value, record.headers)
    ]


def _producer(given: Configuration) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=given.bootstrap,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        linger_ms=5,
        max_batch_size=512 << 10,
    )


def _consumer(given: Configuration) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        given.input_topic,
        bootstrap_servers=given.bootstrap,
        group_id=given.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=4 << 20,
    )


if __name__ == "__main__":
    asyncio.run(run(configuration()))
