"""librdkafka's properties for throughput, for the contestants that are built on it.

Its introduction (under "Performance", "High throughput") names two that matter most: ``linger.ms``, how
long a batch may fill, and ``batch.num.messages`` with ``batch.size``, how large it may become. ``flush()``
and the commit of a transaction do not wait for the linger time. How much is fetched ahead is left at its
default: 64 MiB, or 100,000 messages of a partition.
"""

from __future__ import annotations

from typing import TypeAlias

Properties: TypeAlias = dict[str, str | int | bool]

PRODUCER: Properties = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 20,
    "batch.num.messages": 10_000,
    "batch.size": 1_000_000,
    # Where the API takes no partition, the key goes where the input's producer put it.
    "partitioner": "murmur2_random",
}

FETCH: Properties = {
    "max.partition.fetch.bytes": 4 << 20,
    # A partition that is to be fetched again must not wait long for a request that waits for others.
    "fetch.wait.max.ms": 50,
    # Nor for a second, which is the default, because enough was fetched ahead when it was looked at.
    "fetch.queue.backoff.ms": 10,
}
"""Of a consumer whose framework sees to the rest."""

CONSUMER: Properties = {**FETCH, "auto.offset.reset": "earliest", "enable.auto.commit": False}
