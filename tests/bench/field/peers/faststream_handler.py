"""A FastStream handler by batches: ``publish`` for each result, all confirmations awaited, then the commit.

At least once: with ``NACK_ON_ERROR`` the commit comes after the handler has returned. Tuned:
``batch=True``, the documented way to take many records at once; ``no_confirm``, so that a result does not
wait for the one before; a decoder of its own and no ``apply_types``, so that bodies are neither read as
JSON nor converted; linger and batch size of the aiokafka producer below. FastStream writes ``content-type``
before all other headers.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.structs import RecordMetadata
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from tests.bench.field.fold import Fold
from tests.bench.field.peers.configuration import Configuration, configuration

BATCH = 5000
"""Records at most that the handler is given."""


def application(given: Configuration) -> FastStream:
    """Events in, results out."""
    broker = _broker(given)
    fold = Fold()

    @broker.subscriber(
        given.input_topic,
        batch=True,
        group_id=given.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        max_records=BATCH,
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=4 << 20,
        decoder=_records,
    )
    async def adjudicate(records: tuple[ConsumerRecord, ...]) -> None:
        confirmations = [
            confirmation
            for record in records
            for confirmation in await _answer(record, fold, broker, given.results_topic)
        ]
        await asyncio.gather(*confirmations)

    return FastStream(broker, logger=None)


async def _answer(
    record: ConsumerRecord, fold: Fold, broker: KafkaBroker, topic: str
) -> list[asyncio.Future[RecordMetadata]]:
    return [
        await broker.publish(
            answer.value,
            topic,
            key=record.key,
            partition=record.partition,
            timestamp_ms=record.timestamp,
            headers={name: value.decode() for name, value in answer.headers},
            no_confirm=True,
        )
        for answer in fold.answer(record.key, record.value, record.headers)
    ]


async def _records(message: KafkaMessage) -> Any:
    """The records themselves, with key and partition, instead of their bodies read as JSON."""
    return message.raw_message


def _broker(given: Configuration) -> KafkaBroker:
    return KafkaBroker(
        given.bootstrap,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        linger_ms=5,
        max_batch_size=512 << 10,
        allow_auto_create_topics=False,
        apply_types=False,
        logger=None,
        # None: the contract's headers have no correlation id.
        id_generator=str,
    )


if __name__ == "__main__":
    # Ends by itself on SIGTERM.
    asyncio.run(application(configuration()).run())
