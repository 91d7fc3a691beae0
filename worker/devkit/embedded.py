"""The fallback where there is no Java: librdkafka's mock cluster, run inside this process.

Consumer groups and the transactions of aiokafka run on it, but it proves nothing about delivery. It accepts
the offsets of a transaction and forgets them, so a worker that restarts or rebalances has no place to go on
from; it does not hide what an aborted transaction has written; it keeps about 5 MB a partition and nothing
when it stops; it always waits for the whole of a fetch's maximum wait. It knows neither CreateTopics nor
DescribeConfigs: topics come into being when they are asked for, always with ``PARTITIONS`` partitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from worker.devkit.jars import BrokerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import Producer

PARTITIONS = 4
"""Partitions of every topic of the mock cluster; librdkafka offers no setting for it."""

_SECONDS = 10.0


class EmbeddedBroker:
    """A mock cluster of one broker, ready when made and, as a context manager, stopped on exit.

    Attributes: ``bootstrap`` and ``kind`` as ``KafkaBroker`` has them; ``because``, why it is not that one.
    """

    kind = "librdkafka's mock cluster (embedded)"

    def __init__(self, because: str) -> None:
        """Start it. Raises BrokerError if the extra ``embedded-broker`` is not installed."""
        try:
            from confluent_kafka import Producer  # noqa: PLC0415 - an optional extra
        except ModuleNotFoundError:
            raise BrokerError(
                f"no real broker: {because}; and no embedded one: install the extra 'embedded-broker'"
            ) from None
        self.because = because
        # The cluster belongs to the client that asks for it, and ends with it.
        self._owner: Producer | None = Producer({"test.mock.num.brokers": 1, "log_level": 3})
        (broker,) = self._owner.list_topics(timeout=_SECONDS).brokers.values()
        self.bootstrap = f"{broker.host}:{broker.port}"

    def create_topics(self, names: Iterable[str]) -> None:
        """Make topics of ``PARTITIONS`` partitions, as an admin client cannot here."""
        if self._owner is None:
            raise BrokerError("the embedded broker has stopped")
        for name in names:
            self._owner.list_topics(name, timeout=_SECONDS)

    def check(self) -> None:
        """Do nothing: it lives in this process and cannot die by itself."""

    def stop(self) -> None:
        """End it and all its data."""
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
