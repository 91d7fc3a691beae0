"""Events at a steady rate, from a process of its own: whoever measures must not wait for who sends."""

from __future__ import annotations

import time
from itertools import islice
from typing import NamedTuple

from confluent_kafka import Producer

from tests.bench.backlog import backlog

AHEAD_S = 0.2
"""Between being ready and the first event."""
PACE_S = 0.001
PATIENCE_S = 30.0


class Sent(NamedTuple):
    """When events were due; times are nanoseconds of the monotonic clock, which all processes share."""

    due: dict[bytes, int]
    """By the event's id; one that comes twice counts where it came first."""
    began: int
    ended: int
    late: list[int]
    """How much later than it was due each was sent, sorted."""


class Load(NamedTuple):
    """Events of a backlog, from its ``first`` on, ``rate`` a second."""

    bootstrap: str
    topic: str
    members: int
    first: int
    count: int
    rate: float


def loaded(load: Load) -> Sent:
    """Send each event when it is due, however slow the broker is with those before it.

    Raises RuntimeError when the broker does not take them all.
    """
    producer = Producer(
        {
            "bootstrap.servers": load.bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 0,
        }
    )
    producer.list_topics(load.topic)
    records = islice(backlog(load.first + load.count, load.members), load.first, None)
    due: dict[bytes, int] = {}
    late: list[int] = []
    began = time.monotonic_ns() + round(AHEAD_S * 1e9)
    at = began
    for number, (key, value) in enumerate(records):
        at = began + round(number / load.rate * 1e9)
        while (now := time.monotonic_ns()) < at:
            producer.poll(0)
            time.sleep(max(PACE_S, (at - now) / 1e9))
        producer.produce(load.topic, value, key)
        due.setdefault(event_id(value), at)
        late.append(now - at)
    if lost := producer.flush(PATIENCE_S):
        raise RuntimeError(f"{lost} events were not taken by the broker")
    return Sent(due, began, at, sorted(late))


def event_id(value: bytes) -> bytes:
    """The id of a generated event, which has it before any other."""
    return value.partition(b'"id":"')[2].partition(b'"')[0]
