"""One lane's transactions: all or nothing, within their deadlines, and gone when thrown away."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from tests.conftest import NewBroker
from tests.stream.streamkit import Stream, claims, until
from worker.devkit.kafka import KafkaBroker
from worker.settings import Settings
from worker.stream.errors import Fenced, Refused
from worker.stream.outgoing import BATCH_BYTES, Outgoing, packed
from worker.stream.topics import DEAD_LETTER_BYTES, HEADERS_BYTES, RESULT_BYTES
from worker.stream.transactions.producer import TransactionalProducer

HANG_S = 30.0
"""What would take so long would take for ever."""


def producer(stream: Stream, partition: int = 0) -> TransactionalProducer:
    return TransactionalProducer(TopicPartition(stream.settings.input_topic, partition), stream.settings)


def outgoing(value: bytes) -> Outgoing:
    return Outgoing(b"key", value, 1_700_000_000_000, [("header", b"1")])


async def set_size(stream: Stream, topic: str, size: int) -> None:
    """Make a topic refuse what is larger; returns when it does."""
    config = {"max.message.bytes": str(size)}
    async with (
        stream.administration() as client,
        AIOKafkaProducer(bootstrap_servers=stream.settings.bootstrap_servers) as probe,
    ):
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])

        async def refuses() -> bool:
            large, last = bytes(2 * size), stream.settings.partitions - 1
            try:
                await probe.send_and_wait(topic, large, key=b"probe", partition=last)
            except MessageSizeTooLargeError:
                return True
            return False

        await until(refuses, "the smaller size to be in force")


async def test_outputs_and_offset_are_committed_together_and_on_the_inputs_partition(stream: Stream) -> None:
    lane = producer(stream, partition=2)
    await lane.start()
    outputs = {
        stream.settings.results_topic: [outgoing(b"1"), outgoing(b"2")],
        stream.settings.dead_letter_topic: [outgoing(b"3")],
        stream.settings.changelog_topic: [outgoing(b"4")],
    }
    await lane.commit(outputs, 3)
    await lane.close()
    assert await stream.committed() == 3
    results, letters = await stream.results(), await stream.dead_letters()
    changelog = await stream.read(stream.settings.changelog_topic)
    assert [record.value for record in results[2]] == [b"1", b"2"]
    assert [record.value for record in letters[2]] == [b"3"]
    assert [record.value for record in changelog[2]] == [b"4"]
    assert set(results) == set(letters) == set(changelog) == {2}


async def test_a_batch_larger_than_a_producer_batch_is_one_transaction(stream: Stream) -> None:
    values = [number.to_bytes(4, "big") + os.urandom(BATCH_BYTES // 10) for number in range(35)]
    lane = producer(stream)
    await lane.start()
    await lane.commit({stream.settings.results_topic: [outgoing(value) for value in values]}, 35)
    await lane.close()
    results = await stream.results()
    assert [record.value for record in results[0]] == values


@pytest.mark.parametrize(
    ("topic", "size"),
    [
        ("results_topic", RESULT_BYTES),
        ("dead_letter_topic", DEAD_LETTER_BYTES),
        ("changelog_topic", 2 * Settings().history_max_bytes + HEADERS_BYTES),
    ],
)
async def test_a_record_as_large_as_its_topic_allows_goes_through(
    stream: Stream, topic: str, size: int
) -> None:
    value = os.urandom(size - HEADERS_BYTES)
    lane = producer(stream)
    await lane.start()
    await lane.commit(
        {getattr(stream.settings, topic): [outgoing(b"before"), outgoing(value), outgoing(b"after")]}, 1
    )
    await lane.close()
    ((*_, largest, _),) = (await stream.read(getattr(stream.settings, topic))).values()
    assert largest.value == value


async def test_histories_that_do_not_compress_go_through_though_each_may_be_small_only(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    with ExitStack() as ending:
        stream = Stream(kafka.bootstrap, prefix, tmp_path, ending, history_max_bytes=1024)
        await stream.create_topics()
        topic, values = stream.settings.changelog_topic, [os.urandom(1024) for _ in range(2500)]
        lane = producer(stream)
        await lane.start()
        await lane.commit({topic: [outgoing(value) for value in values]}, 1)
        await lane.close()
        assert [record.value for record in (await stream.read(topic))[0]] == values


@pytest.mark.parametrize("refusing", ["results_topic", "changelog_topic"])
async def test_a_failed_delivery_fails_the_commit_and_commits_nothing(stream: Stream, refusing: str) -> None:
    topic = getattr(stream.settings, refusing)
    await set_size(stream, topic, 1000)
    outputs = {
        stream.settings.dead_letter_topic: [outgoing(b"fine")],
        topic: [outgoing(os.urandom(2000))],
    }
    lane = producer(stream)
    await lane.start()
    with pytest.raises(Refused, match=f"raise max.message.bytes of {topic}"):
        await lane.commit(outputs, 2)
    await lane.close()

    heir = producer(stream)
    await heir.start()  # settles what the first one left open
    await heir.close()
    assert await stream.committed() == 0
    assert not await stream.dead_letters()


async def test_a_second_producer_of_the_same_id_fences_the_first(stream: Stream) -> None:
    first, second = producer(stream), producer(stream)
    await first.start()
    await first.commit({}, 1)
    await second.start()
    with pytest.raises(Fenced):
        await first.commit({stream.settings.results_topic: [outgoing(b"late")]}, 2)
    await second.commit({stream.settings.results_topic: [outgoing(b"mine")]}, 2)
    await asyncio.gather(first.close(), second.close())
    results = await stream.results()
    assert [record.value for record in results[0]] == [b"mine"]


@pytest.fixture
async def hanging(new_broker: NewBroker, prefix: str, tmp_path: Path) -> AsyncIterator[tuple[Stream, int]]:
    """A stream with short deadlines on a broker of its own, and the broker's process to be stopped."""
    broker = new_broker()
    with broker, ExitStack() as ending:
        deadlines = {"batch_deadline_s": 1, "producer_start_deadline_s": 1, "producer_stop_deadline_s": 0.5}
        made = Stream(broker.bootstrap, prefix, tmp_path, ending, **deadlines)
        await made.create_topics()
        assert broker.pid is not None
        ending.callback(os.kill, broker.pid, signal.SIGCONT)
        yield made, broker.pid


async def test_a_stuck_producer_is_thrown_away_with_all_its_tasks(hanging: tuple[Stream, int]) -> None:
    stream, broker = hanging
    tasks = asyncio.all_tasks()
    lane, late = producer(stream), producer(stream, partition=1)
    await lane.start()
    await lane.commit({}, 1)
    os.kill(broker, signal.SIGSTOP)
    async with asyncio.timeout(HANG_S):
        with pytest.raises(TimeoutError):
            await lane.commit({stream.settings.results_topic: [outgoing(b"never")]}, 2)
        with pytest.raises(TimeoutError):
            await late.start()
        await lane.close()
        await late.close()
        await until(lambda: asyncio.all_tasks() == tasks, "the producers' tasks to end")


async def sent(lane: TransactionalProducer, topic: str) -> asyncio.Future[Any]:
    """The delivery of a batch that the transaction's producer was given."""
    (batch,) = packed([outgoing(b"value")], lane._producer.create_batch)
    return (await lane._sent(topic, batch)).answer


async def test_nobody_is_told_of_the_batches_of_a_producer_that_is_thrown_away_without_its_broker(
    new_broker: NewBroker, prefix: str, tmp_path: Path
) -> None:
    told: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context.get("exception")))
    with new_broker() as broker, ExitStack() as ending:
        stream = Stream(broker.bootstrap, prefix, tmp_path, ending, producer_stop_deadline_s=0.5)
        await stream.create_topics()
        tasks = asyncio.all_tasks()
        lane = producer(stream)
        await lane.start()
        await lane._producer.begin_transaction()
        ended = lane._producer._txn_manager._transaction_waiter
        await (await sent(lane, stream.settings.results_topic))
        await asyncio.to_thread(broker.kill)
        given_up = await sent(lane, stream.settings.results_topic)
        queued = lane._producer._message_accumulator._batches
        await until(
            lambda: any(batch.retry_count for batches in queued.values() for batch in batches),
            "the batch to be queued for another try",
        )
        await lane.close()
        await until(lambda: asyncio.all_tasks() == tasks, "the producer's tasks to end")
        assert given_up.done()
        assert not ended.done()  # nobody would look at what it ended with
        gc.collect()
    assert [error for error in told if not isinstance(error, KafkaError)] == []


async def test_a_result_that_its_topic_does_not_take_stops_the_worker(stream: Stream) -> None:
    worker = stream.worker()
    await worker.ready()
    await set_size(stream, stream.settings.results_topic, 500)
    await stream.publish(claims(1, seed=41))
    assert await worker.ended() == 2
    (reason,) = worker.said("worker stops")
    assert f"raise max.message.bytes of {stream.settings.results_topic}" in reason["reason"]
    assert await stream.committed() == 0
