"""Waiting for what must come about, on a machine that may be slow, from brokers that may be down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

PATIENCE_S = 120.0
"""What has not come about by then does not any more, on whatever machine."""
LOOK_S = 0.1

UNAVAILABLE = (KafkaError, KafkaException, OSError, TimeoutError)
"""What is raised while brokers cannot answer: reason to ask again."""


class Stuck(Exception):  # noqa: N818  reads as what it says
    """Something did not come about; the message says what."""


async def until(asked: Callable[[], Any], what: str, within: float = PATIENCE_S) -> Any:
    """What ``asked`` (a function or coroutine function) answers, as soon as it answers something true.

    Raises Stuck after ``within`` seconds.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            answer = asked()
            if asyncio.iscoroutine(answer):
                answer = await answer
        except UNAVAILABLE:
            answer = None
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Stuck(f"waited {within:g} s in vain for {what}")
        await asyncio.sleep(LOOK_S)
