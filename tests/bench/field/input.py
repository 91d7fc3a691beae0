"""What all contestants are given: the same backlog of member histories, each in a topic of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, TypeAlias

from confluent_kafka import Producer

from tests.bench.backlog import generated
from tests.bench.field.judging import Oracle
from tests.bench.field.logs import ERRORS_ALONE
from tests.stream.streamkit import Stream

RESULT_SOURCE = "/mms/adjudication"
"""The ``ce_source`` that the fold gives results; the worker is told to give the same."""
WARM_UP_SHARE = 0.2
PATIENCE_S = 120.0
"""How long the broker may take for what was sent last."""

Record: TypeAlias = tuple[bytes, bytes, int]
"""Key, value, and timestamp in ms."""


class Input(NamedTuple):
    """Records to decide, and what they must come to."""

    warm_up: Sequence[Record]
    """Those that are decided before anything is measured."""
    measured: Sequence[Record]
    due: Oracle
    """Of all of them."""
    due_of_warm_up: Oracle


def prepared(events: int, members: int, partitions: int, warm_up: float = 1.0) -> Input:
    """A backlog of so many events, and others before them to warm up with: ``warm_up`` times the usual."""
    count = round(events * WARM_UP_SHARE * warm_up)
    # In the past, and one for each record: results have their cause's, which nothing else would give them.
    first = time.time_ns() // 1_000_000 - count - events
    records = [
        (key, value, first + number) for number, (key, value) in enumerate(generated(count + events, members))
    ]
    warm_up = records[:count]
    return Input(warm_up, records[count:], Oracle(records, partitions), Oracle(warm_up, partitions))


def topics(bootstrap: str, name: str, partitions: int) -> Stream:
    """Topics whose names begin with ``name``, made as the worker makes its own."""
    stream = Stream(bootstrap, name, Path(), ExitStack(), partitions=partitions, result_source=RESULT_SOURCE)
    asyncio.run(stream.create_topics())
    return stream


class Sender:
    """Sends to one topic; it is connected before anything is sent."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 20,
                "batch.size": 2**20,
                "log_level": ERRORS_ALONE,
            }
        )
        self._producer.list_topics(topic)

    def send(self, records: Iterable[Record]) -> None:
        """Send records in their order, each where Java's default partitioner puts its key.

        Raises RuntimeError when the broker does not take them all.
        """
        for key, value, timestamp in records:
            self._produce(key, value, timestamp)
        if lost := self._producer.flush(PATIENCE_S):
            raise RuntimeError(f"{lost} events were not taken by the broker")

    def _produce(self, key: bytes, value: bytes, timestamp: int) -> None:
        """Queue an event, when there is room for it."""
        while True:
            try:
                self._producer.produce(self._topic, value, key, timestamp=timestamp)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return
