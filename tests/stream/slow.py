"""A member of the group that holds up its rebalances."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from tests.stream.streamkit import Stream

LONG_S = 300
"""Longer than any test waits: neither a session nor a transaction ends by its timeout."""


class Slow(ConsumerRebalanceListener):
    """Lets its partitions go when it is told so, and holds up everyone's rebalance until then."""

    def __init__(self) -> None:
        self.is_asked = asyncio.Event()
        self.may_go = asyncio.Event()

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked:
            self.is_asked.set()
            await self.may_go.wait()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        pass


@asynccontextmanager
async def slow_member(stream: Stream) -> AsyncIterator[Slow]:
    """A member of the group beside the workers, which decides nothing and is slow to let go."""
    slow = Slow()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        group_id=stream.settings.app_id,
        client_id="slow",
        enable_auto_commit=False,
        partition_assignment_strategy=(StickyPartitionAssignor,),
        session_timeout_ms=LONG_S * 1000,
        rebalance_timeout_ms=LONG_S * 1000,
        heartbeat_interval_ms=100,
    )
    consumer.subscribe([stream.settings.input_topic], listener=slow)
    await consumer.start()
    try:
        yield slow
    finally:
        slow.may_go.set()
        await consumer.stop()
