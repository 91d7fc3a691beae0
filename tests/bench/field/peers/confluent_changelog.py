"""``confluent_transactions`` with its histories in a changelog, written in the same transaction.

This is what the worker keeps, by hand: the last history of each member that a batch has changed goes to the
partition of its records. It is the one peer whose state is as safe as its results; what the others in Python
guarantee exactly once ends with the process that has the histories. It does not restore them, which would be
more code and no slower.
"""

from __future__ import annotations

from tests.bench.field.fold import Fold
from tests.bench.field.peers.configuration import Configuration, configuration
from tests.bench.field.peers.confluent_loop import produce_answers
from tests.bench.field.peers.confluent_transactions import BATCH, WAIT_S, clients
from tests.bench.field.peers.ending import Ending


def run(given: Configuration) -> None:
    """Adjudicate until SIGTERM. Raises KafkaException when a transaction fails or a record cannot be read."""
    ending = Ending()
    fold = Fold()
    consumer, producer = clients(given)
    while not ending:
        if messages := consumer.consume(BATCH, WAIT_S):
            producer.begin_transaction()
            placed: dict[bytes, int] = {}
            for message in messages:
                produce_answers(message, fold, producer, given.results_topic)
                placed[message.key()] = message.partition()
            for member, partition in placed.items():
                producer.produce(given.changelog_topic, fold.history(member), member, partition)
            positions = consumer.position(consumer.assignment())
            producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata())
            producer.commit_transaction()
    consumer.close()


if __name__ == "__main__":
    run(configuration())
