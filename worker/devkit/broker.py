"""A broker for this machine: Apache Kafka if it can be run here, else the embedded fallback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.devkit.embedded import EmbeddedBroker
from worker.devkit.jars import BrokerError
from worker.devkit.kafka import KafkaBroker

if TYPE_CHECKING:
    from pathlib import Path


def start_broker(directory: Path, *, port: int | None = None) -> KafkaBroker | EmbeddedBroker:
    """A broker that is ready and, as a context manager, stops on exit.

    ``directory`` and ``port`` are as for ``KafkaBroker``; the embedded one has no use for them.
    Falls back only if Kafka cannot be run on this machine; raises BrokerError if it can and does not start,
    or if neither can be run.
    """
    try:
        broker = KafkaBroker(directory, port=port)
    except BrokerError as unavailable:
        return EmbeddedBroker(because=str(unavailable))
    return broker.start()
