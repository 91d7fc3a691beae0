"""The loop of ``confluent_loop`` made exactly once: one transaction for each batch that was consumed.

As in the client's own example of consume, transform and produce: the positions go into the transaction with
the group's metadata, and the input is read committed. Tuned: the batch, since what a transaction costs does
not grow with it, and ``librdkafka.PRODUCER`` and ``CONSUMER``. An error ends the process, as histories in
memory demand anyway; the next start with the same transactional id aborts what was left open.
"""

from __future__ import annotations

from confluent_kafka import Consumer, Producer

from tests.bench.field.fold import Fold
from tests.bench.field.peers.configuration import Configuration, configuration
from tests.bench.field.peers.confluent_loop import produce_answers
from tests.bench.field.peers.ending import Ending
from tests.bench.field.peers.librdkafka import CONSUMER, PRODUCER

BATCH = 10_000
"""Records at most in a transaction."""
WAIT_S = 0.05
"""How long to wait for so many."""


def clients(given: Configuration) -> tuple[Consumer, Producer]:
    """A consumer in the group and a producer whose transactions may begin."""
    producer = Producer({**PRODUCER, "bootstrap.servers": given.bootstrap, "transactional.id": given.group})
    producer.init_transactions()
    consumer = Consumer(
        {
            **CONSUMER,
            "bootstrap.servers": given.bootstrap,
            "group.id": given.group,
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([given.input_topic])
    return consumer, producer


def run(given: Configuration, changelog: str | None = None) -> None:
    """Adjudicate until SIGTERM; histories that a batch has changed go to ``changelog``, if there is one.

    Raises KafkaException when a transaction fails or a record cannot be read.
    """
    ending = Ending()
    fold = Fold()
    consumer, producer = clients(given)
    while not ending:
        if messages := consumer.consume(BATCH, WAIT_S):
            producer.begin_transaction()
            for message in messages:
                produce_answers(message, fold, producer, given.results_topic)
            if changelog is not None:
                for member, partition in {one.key(): one.partition() for one in messages}.items():
                    producer.produce(changelog, fold.history(member), member, partition)
            positions = consumer.position(consumer.assignment())
            producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata())
            producer.commit_transaction()
    consumer.close()


if __name__ == "__main__":
    run(configuration())
