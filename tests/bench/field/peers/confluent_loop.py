"""confluent-kafka's loop by batches: ``consume`` thousands, ``produce`` each result, ``flush``, commit.

At least once; the commit is not waited for. Tuned: ``consume(num_messages)`` instead of ``poll``, the
client's own way to spare a call for each message, and ``librdkafka.PRODUCER`` and ``CONSUMER``. Only failed
deliveries are told to Python (``delivery.report.only.error``): one ends the process before its records are
committed.
"""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from tests.bench.field.fold import Fold
from tests.bench.field.peers.configuration import Configuration, configuration
from tests.bench.field.peers.ending import Ending
from tests.bench.field.peers.librdkafka import CONSUMER, PRODUCER

BATCH = 5000
"""Records at most between two commits."""
WAIT_S = 0.05
"""How long to wait for so many."""


def run(given: Configuration) -> None:
    """Adjudicate until SIGTERM. Raises KafkaException when a result is not delivered or a record not read."""
    ending = Ending()
    fold = Fold()
    failed: list[KafkaError] = []
    producer = Producer(
        {
            **PRODUCER,
            "bootstrap.servers": given.bootstrap,
            "delivery.report.only.error": True,
            "on_delivery": lambda error, _message: failed.append(error),
        }
    )
    consumer = Consumer({**CONSUMER, "bootstrap.servers": given.bootstrap, "group.id": given.group})
    consumer.subscribe([given.input_topic])
    while not ending:
        messages = consumer.consume(BATCH, WAIT_S)
        for message in messages:
            produce_answers(message, fold, producer, given.results_topic)
        if messages:
            producer.flush()
            if failed:
                raise KafkaException(failed[0])
            consumer.commit(asynchronous=True)
    consumer.close()


def produce_answers(message: Message, fold: Fold, producer: Producer, topic: str) -> None:
    """Queue the results of an input record. Raises KafkaException when it is an error instead of a record."""
    if error := message.error():
        raise KafkaException(error)
    key, partition, (_, timestamp) = message.key(), message.partition(), message.timestamp()
    for answer in fold.answer(key, message.value(), message.headers() or ()):
        producer.produce(topic, answer.value, key, partition, timestamp=timestamp, headers=answer.headers)


if __name__ == "__main__":
    run(configuration())
