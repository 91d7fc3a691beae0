"""The broker's logs, as a reader of committed records sees them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

TIMEOUT_S = 30.0
READ_S = 120.0
AGAIN_S = 0.05
AT_ONCE = 5000
ERRORS_ALONE = 3
"""Of syslog's levels: librdkafka would tell of each connection that a broker ends."""


class Log:
    """One topic."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self.partitions = partitions
        self._bootstrap = bootstrap
        self._admin = _admin(bootstrap)
        self._places = [TopicPartition(topic, number) for number in range(partitions)]
        self._asked = {place: OffsetSpec.latest() for place in self._places}

    def ends(self) -> tuple[int, ...]:
        """By partition, the offset before which everything is committed or aborted: the last stable one.

        A topic that was just made is asked for again and again. Raises KafkaException after that.
        """
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            answers = self._admin.list_offsets(self._asked, isolation_level=IsolationLevel.READ_COMMITTED)
            try:
                return tuple(answers[place].result().offset for place in self._places)
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
            time.sleep(AGAIN_S)

    def records(self) -> Iterator[Message]:
        """The committed records, each partition in its order, up to what is its end now.

        Passes over errors from which librdkafka recovers by itself. Raises KafkaException for others, and
        TimeoutError.
        """
        consumer = Consumer(reading(self._bootstrap) | {"enable.partition.eof": True})
        consumer.assign([TopicPartition(place.topic, place.partition, 0) for place in self._places])
        left, deadline = len(self._places), time.monotonic() + READ_S
        try:
            while left:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"reading {self._places[0].topic} took more than {READ_S:.0f} s")
                for message in consumer.consume(AT_ONCE, 0.5):
                    error = message.error()
                    if error is None:
                        yield message
                    elif error.code() == KafkaError._PARTITION_EOF:
                        left -= 1
                    elif error.fatal():
                        raise KafkaException(error)
        finally:
            consumer.close()


def reading(bootstrap: str) -> dict[str, str | int | bool]:
    """How committed records are read by one that is in no group."""
    return {
        "bootstrap.servers": bootstrap,
        "group.id": "bench-reader",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "log_level": ERRORS_ALONE,
    }


def delete(bootstrap: str, prefix: str) -> None:
    """Delete the topics whose names begin so. Raises KafkaException."""
    admin = _admin(bootstrap)
    topics: Sequence[str] = [
        name for name in admin.list_topics(timeout=TIMEOUT_S).topics if name.startswith(prefix)
    ]
    if topics:
        for deleted in admin.delete_topics(topics, operation_timeout=TIMEOUT_S).values():
            deleted.result()


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": ERRORS_ALONE})
