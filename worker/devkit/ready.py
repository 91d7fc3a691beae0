"""Readiness of a broker: it has answered ApiVersions and committed a transaction."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

ATTEMPT_SECONDS = 5.0
"""Longest single attempt, so that the caller can look in between whether the broker still lives."""

_POLL_SECONDS = 0.05
_NAME = "mms-devkit-ready"

# An offset of a topic that transactions bring with them: it leaves no topic behind, and the coordinators of
# transactions and of groups and the markers between them have all worked once.
_OFFSETS = {TopicPartition("__transaction_state", 0): OffsetAndMetadata(0, "")}


def broker_is_ready(bootstrap: str, deadline: float) -> bool:
    """Whether the broker got ready within one attempt, which ends by ``deadline`` (monotonic seconds).

    An open port is not enough: right after its start a broker refuses groups and transactions for a while.
    """
    until = min(deadline, time.monotonic() + ATTEMPT_SECONDS)
    return _accepts(bootstrap, until) and asyncio.run(_commits(bootstrap, until - time.monotonic()))


def _accepts(bootstrap: str, until: float) -> bool:
    host, port = bootstrap.rsplit(":", 1)
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return True
        time.sleep(_POLL_SECONDS)
    return False


async def _commits(bootstrap: str, within: float) -> bool:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=_NAME)
    try:
        async with asyncio.timeout(within):
            await producer.start()
            # Not `async with producer.transaction()`: left on a timeout, it waits for its abort for ever.
            await producer.begin_transaction()
            await producer.send_offsets_to_transaction(_OFFSETS, _NAME)
            await producer.commit_transaction()
    except (KafkaError, TimeoutError, AssertionError):
        # The last is what aiokafka makes of a node that answers before its cluster has let it in: its
        # metadata names no broker then.
        return False
    else:
        return True
    finally:
        with contextlib.suppress(KafkaError, TimeoutError):
            await asyncio.wait_for(producer.stop(), 2)
