"""Which transaction protocol is spoken, and what the second one promises (KIP-890), on a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from tests.conftest import NewBroker
from tests.stream.agreeing import agree
from tests.stream.killing import events
from tests.stream.oracle import assert_exactly_once
from tests.stream.streamkit import Stream
from worker.devkit.kafka import Place, new_cluster_id
from worker.devkit.ports import free_ports
from worker.stream.errors import Fenced
from worker.stream.outgoing import Outgoing
from worker.stream.transactions.messages import EndTxn
from worker.stream.transactions.producer import TransactionalProducer
from worker.stream.transactions.second import CONCURRENT_TRANSACTIONS, TRANSACTION_VERSION

IMPATIENT = {"add.partitions.to.txn.retry.backoff.max.ms": 0}
"""Brokers that say at once that the last transaction is not over."""
LAST_EPOCH = (1 << 15) - 1
RECORD = Outgoing(b"key", b"value", 1_700_000_000_000, ())


@asynccontextmanager
async def started(stream: Stream, partition: int = 0) -> AsyncIterator[TransactionalProducer]:
    lane = TransactionalProducer(TopicPartition(stream.settings.input_topic, partition), stream.settings)
    try:
        await lane.start()
        yield lane
    finally:
        await lane.close()


def account(lane: TransactionalProducer) -> Any:
    """Where the producer's transaction stands."""
    return lane._producer._txn_manager


async def written(stream: Stream) -> list[bytes | None]:
    return [record.value for of_one in (await stream.results()).values() for record in of_one]


async def test_each_transaction_has_an_epoch_of_its_own(stream: Stream) -> None:
    async with started(stream) as lane:
        assert account(lane).is_second
        producer, epoch = lane.life
        for number in range(1, 4):
            await lane.commit({stream.settings.results_topic: [RECORD, RECORD]}, number)
            assert lane.life == (producer, epoch + number)
    assert len(await written(stream)) == 6
    assert await stream.committed() == 3


async def test_a_producer_that_nobody_came_before_follows_the_last_one(stream: Stream) -> None:
    async with started(stream) as lane:
        await lane.commit({stream.settings.results_topic: [RECORD]}, 1)
        life = lane.life
    async with started(stream) as heir:
        assert heir.follows(life)
        await heir.commit({stream.settings.results_topic: [RECORD]}, 2)
    async with started(stream) as another:
        assert not another.follows(life)


@pytest.mark.parametrize("values", [[RECORD], []], ids=["results", "offset alone"])
async def test_what_is_meant_for_an_earlier_transaction_is_refused(
    stream: Stream, values: list[Outgoing]
) -> None:
    async with started(stream) as lane:
        earlier = lane.life
        # Two, since what comes before the markers of its own transaction still is in time.
        await lane.commit({stream.settings.results_topic: values}, 1)
        await lane.commit({stream.settings.results_topic: values}, 2)
        account(lane).go_on_as(*earlier)
        with pytest.raises(Fenced):
            await lane.commit({stream.settings.results_topic: values}, 3)
    assert len(await written(stream)) == 2 * len(values)
    assert await stream.committed() == 2


async def test_an_end_that_is_asked_again_is_told_the_same_epoch(stream: Stream) -> None:
    async with started(stream) as lane:
        life = lane.life
        await lane.commit({stream.settings.results_topic: [RECORD]}, 1)
        asked = EndTxn(account(lane).transactional_id, life, is_committed=True)
        sender = lane._producer._sender
        (node,) = set(sender._coordinators.values())
        async with asyncio.timeout(30):
            # As long as its markers are being written, the coordinator says that it is at it.
            while (again := await sender.client.send(node, asked)).error_code:
                assert again.error_code == CONCURRENT_TRANSACTIONS
        assert (again.producer_id, again.producer_epoch) == lane.life
        await lane.commit({stream.settings.results_topic: [RECORD]}, 2)
    assert len(await written(stream)) == 2


async def test_transactions_on_each_others_heels_wait_for_each_other(stream: Stream) -> None:
    async with started(stream) as lane:
        for number in range(1, 41):
            outputs = {stream.settings.results_topic: [RECORD]} if number % 2 else {}
            await lane.commit(outputs, number)
    assert len(await written(stream)) == 20
    assert await stream.committed() == 40


async def test_a_transaction_waits_for_the_markers_of_the_last_one_though_brokers_do_not(
    new_broker: NewBroker, prefix: str, tmp_path: Path
) -> None:
    broker = await asyncio.to_thread(new_broker(**IMPATIENT).start)
    with ExitStack() as ending:
        stream = Stream(broker.bootstrap, prefix, tmp_path, ending)
        await stream.create_topics()
        outputs = {stream.settings.changelog_topic: [RECORD], stream.settings.results_topic: [RECORD]}
        async with started(stream) as lane:
            for number in range(1, 41):
                await lane.commit(outputs, number)
        assert len(await written(stream)) == 40
        assert await stream.committed() == 40


async def test_when_its_epochs_are_used_up_a_producer_goes_on_with_another_id(stream: Stream) -> None:
    outputs = {stream.settings.changelog_topic: [RECORD], stream.settings.results_topic: [RECORD]}
    async with started(stream) as lane:
        await lane.commit(outputs, 1)
        producer, _ = await bring_to_epoch(lane, LAST_EPOCH - 2)
        lives = []
        for number in range(2, 6):
            await lane.commit(outputs, number)
            lives.append(lane.life)
        another, _ = lane.life
        assert another != producer
        assert lives == [(producer, LAST_EPOCH - 1), (another, 0), (another, 1), (another, 2)]
    assert len(await written(stream)) == 5
    assert await stream.committed() == 5


async def bring_to_epoch(lane: TransactionalProducer, epoch: int) -> tuple[int, int]:
    """Let a producer's transactions come to that epoch: each end raises it, also of one that is empty."""
    sender, life = lane._producer._sender, lane.life
    (node,) = set(sender._coordinators.values())
    while life[1] < epoch:
        asked = EndTxn(account(lane).transactional_id, life, is_committed=False)
        ended = await sender.client.send(node, asked)
        assert ended.error_code in {0, CONCURRENT_TRANSACTIONS}
        if not ended.error_code:
            life = ended.producer_id, ended.producer_epoch
    account(lane).go_on_as(*life)
    return life


@pytest.fixture
async def elder(new_broker: NewBroker, prefix: str, tmp_path: Path) -> AsyncIterator[Stream]:
    """A stream on a cluster that was brought to Kafka 4 and has not agreed to the second protocol yet."""
    place = Place(1, new_cluster_id(), free_ports(1), features=[f"{TRANSACTION_VERSION}=1"])
    broker = await asyncio.to_thread(new_broker(place).start)
    with ExitStack() as ending:
        stream = Stream(broker.bootstrap, prefix, tmp_path, ending)
        await stream.create_topics()
        yield stream


async def test_a_lane_speaks_what_its_cluster_has_agreed_to_when_it_begins(elder: Stream) -> None:
    outputs = {elder.settings.results_topic: [RECORD]}
    async with started(elder, 0) as first:
        client, life = first._producer.client, first.life
        await first.commit(outputs, 1)
        assert (account(first).is_second, first.life) == (False, life)
        await agree(client, 2)
        await first.commit(outputs, 2)
        assert first.life == life, "it goes on as it began"
        async with started(elder, 1) as second:
            await second.commit(outputs, 1)
            assert account(second).is_second
            await agree(client, 1)
            await second.commit(outputs, 2)
        async with started(elder, 1) as again:
            assert not account(again).is_second
            await again.commit(outputs, 3)
    assert len(await written(elder)) == 5
    assert await elder.committed() == 5


async def test_workers_lose_and_repeat_nothing_with_the_first_protocol_either(elder: Stream) -> None:
    records = events(600, 27, 100)
    killed = elder.worker(batch_max_records=5, session_timeout_s=6)
    await elder.publish(records)
    await elder.drained(100)
    killed.kill()
    elder.worker()
    await elder.drained(len(records))
    await assert_exactly_once(elder, records)
