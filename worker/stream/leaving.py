"""Leaving the consumer group at once, whatever the consumer is at.

In a rebalance aiokafka's ``stop()`` waits for the group's answer to JoinGroup or SyncGroup, which comes when
the slowest member has let go. Cut off there, it leaves nothing: the group would wait for this member too, and
then give it partitions that nobody works until its session has expired. One that raises may have left nothing
either: it sends LeaveGroup last.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import for_code
from aiokafka.protocol.group import LeaveGroupRequest

from worker.stream.errors import INFRASTRUCTURE, told
from worker.stream.tasks import ended_within

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

STOP_S = 1.0
LEAVE_S = 0.5
CLOSE_S = 0.3

log = structlog.get_logger()


async def leave(consumer: AIOKafkaConsumer, group: str) -> None:
    """Stop a consumer, which leaves its group; by force if it does not, or raises."""
    if await ended_within(STOP_S, consumer.stop()):
        return
    coordinator = consumer._coordinator  # noqa: SLF001  no public way to end its tasks
    if coordinator is not None:
        # The heartbeat would keep the membership, and with it the partitions, from whoever could work them.
        for beside in (coordinator._heartbeat_task, coordinator._commit_refresh_task):  # noqa: SLF001
            if beside is not None:
                beside.cancel()
    try:
        async with asyncio.timeout(LEAVE_S):
            await _ask_to_leave(consumer, group)
    except INFRASTRUCTURE as error:
        log.warning("group cannot be left: the session will expire", group=group, error=told(error))
    if consumer._fetcher is not None:  # noqa: SLF001
        await ended_within(CLOSE_S, consumer._fetcher.close())  # noqa: SLF001  or it would fetch for ever
    await ended_within(CLOSE_S, consumer._client.close())  # noqa: SLF001


async def _ask_to_leave(consumer: AIOKafkaConsumer, group: str) -> None:
    """Send LeaveGroup, on a connection of its own: the coordinator's is busy with what is not answered."""
    coordinator = consumer._coordinator  # noqa: SLF001  nothing public tells the member's id
    if coordinator is None or not coordinator.member_id:
        return
    node, request = coordinator.coordinator_id, LeaveGroupRequest(group, coordinator.member_id)
    answer = await consumer._client.send(node, request)  # noqa: SLF001
    if answer.error_code:
        raise for_code(answer.error_code)
    log.info("left the group in a rebalance", group=group)
