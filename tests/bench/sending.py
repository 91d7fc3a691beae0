"""Sends many records to a stream's input topic, at a rate or as many as get through."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import islice

from confluent_kafka import Producer

from tests.stream.streamkit import Stream

PACE_S = 0.01
BURST = 1000
"""Records that are sent before deliveries are looked at, where no rate is given."""
PATIENCE_S = 120.0
"""How long the broker may take for what was sent last."""


def send(stream: Stream, records: Iterable[tuple[bytes, bytes]], rate: float | None = None) -> float:
    """Send keys and values in order, ``rate`` a second; returns the seconds that it took.

    Each goes where Java's default partitioner puts its key. Raises RuntimeError when the broker does not take
    them all.
    """
    topic = stream.settings.input_topic
    producer = Producer(
        {
            "bootstrap.servers": stream.settings.bootstrap_servers,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 20,
            "batch.size": 2**20,
        }
    )
    left, size = iter(records), BURST if rate is None else max(1, round(rate * PACE_S))
    began, count = time.monotonic(), 0
    while burst := list(islice(left, size)):
        for key, value in burst:
            _produce(producer, topic, key, value)
        count += len(burst)
        producer.poll(0)
        if rate is not None:
            time.sleep(max(0.0, began + count / rate - time.monotonic()))
    if lost := producer.flush(PATIENCE_S):
        raise RuntimeError(f"{lost} events were not taken by the broker")
    return time.monotonic() - began


def _produce(producer: Producer, topic: str, key: bytes, value: bytes) -> None:
    """Queue an event, when there is room for it."""
    while True:
        try:
            producer.produce(topic, value, key)
        except BufferError:
            producer.poll(0.1)
        else:
            return
