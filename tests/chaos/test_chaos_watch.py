"""Who looks on sees every offset that a group commits, whatever became of it a moment later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError
from confluent_kafka.admin import AdminClient

from tests.chaos.commits import NONE, committed
from tests.chaos.watch import Follower
from tests.stream.streamkit import Stream, claims, until


@asynccontextmanager
async def following(stream: Stream) -> AsyncIterator[Follower]:
    follower = Follower(stream.settings)
    reading = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def commit(stream: Stream, offsets: Sequence[int], group: str | None = None) -> None:
    """Commit one offset after the other in partition 0, without transactions."""
    place, settings = TopicPartition(stream.settings.input_topic, 0), stream.settings
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers,
        group_id=group or settings.app_id,
        enable_auto_commit=False,
    ) as consumer:
        consumer.assign([place])
        for offset in offsets:
            await consumer.commit({place: offset})


async def commit_in_transaction(stream: Stream, offset: int, *, is_aborted: bool) -> None:
    place, settings = TopicPartition(stream.settings.input_topic, 0), stream.settings
    async with AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers, transactional_id=settings.app_id
    ) as producer:
        await producer.begin_transaction()
        await producer.send_offsets_to_transaction({place: offset}, settings.app_id)
        await (producer.abort_transaction() if is_aborted else producer.commit_transaction())


async def test_every_committed_offset_is_seen_also_one_that_is_put_right_at_once(stream: Stream) -> None:
    await commit(stream, [100, 60, 110])
    await commit(stream, [7], group=f"{stream.settings.app_id}-other")
    await commit_in_transaction(stream, 120, is_aborted=True)
    await commit_in_transaction(stream, 130, is_aborted=False)
    async with following(stream) as follower:
        await until(lambda: 130 in follower.commits[0], "the last commit to be seen")
        assert follower.commits[0] == [100, 60, 110, 130]


async def test_offsets_that_are_taken_away_are_seen_to_be_gone(stream: Stream) -> None:
    await commit(stream, [100])
    group = stream.settings.app_id
    client = AdminClient({"bootstrap.servers": stream.settings.bootstrap_servers, "log_level": 0})
    await asyncio.wrap_future(client.delete_consumer_groups([group])[group])
    async with following(stream) as follower:
        await until(lambda: NONE in follower.commits[0], "the offset to be gone")
        assert follower.commits[0] == [100, NONE]


async def test_a_group_tells_of_every_partition_also_where_it_has_no_offset(stream: Stream) -> None:
    await commit(stream, [100])

    async def told() -> dict[int, int]:
        async with stream.administration() as client:
            return await committed(client, stream.settings)

    assert await until(told, "the group's offsets") == {0: 100, 1: NONE, 2: NONE, 3: NONE}


async def test_a_coordinator_that_does_not_tell_has_not_said_that_there_is_nothing(stream: Stream) -> None:
    async with stream.administration() as client:

        async def silent(*_: object, **__: object) -> dict[TopicPartition, int]:
            return {}

        client.list_consumer_group_offsets = silent
        with pytest.raises(GroupCoordinatorNotAvailableError):
            await committed(client, stream.settings)


async def test_results_are_seen_while_they_are_written(stream: Stream) -> None:
    worker = stream.worker()
    async with following(stream) as follower:
        await worker.ready()
        await stream.publish(claims(20))
        await until(lambda: follower.published == 20, "the results to be seen")
        await until(lambda: any(follower.commits.values()), "the commits to be seen")
        await until(lambda: follower.written, "the histories to be seen")
