"""A Bytewax flow: Kafka source, one ``flat_map_batch`` over the fold, Kafka sink, in one worker.

At least once as Bytewax means it: a recovery store holds the offsets at the end of each epoch, and what
came after is produced again when it starts again; it has no consumer group. The sink flushes all that it is
given at once. Tuned: ``flat_map_batch``, which its page on performance names against overhead for each item
(a stateful step would route each event by its key besides); ``librdkafka.PRODUCER`` and ``FETCH``.
``batch_size``, from the same page, is the default, 1,000 records of each partition: with 5,000 it took no
less time. The sink takes no partition: results go where their key does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from tests.bench.field.fold import Fold
from tests.bench.field.peers.configuration import Configuration, configuration
from tests.bench.field.peers.librdkafka import FETCH, PRODUCER

EPOCH = timedelta(seconds=1)
"""Time between two stores of the offsets."""


def flow(given: Configuration) -> Dataflow:
    """Events in, results out."""
    fold = Fold()

    def answers(messages: list[KafkaSourceMessage]) -> Iterator[KafkaSinkMessage]:
        for message in messages:
            for answer in fold.answer(message.key, message.value, message.headers):
                yield KafkaSinkMessage(
                    message.key, answer.value, headers=answer.headers, timestamp=message.timestamp[1]
                )

    made = Dataflow("adjudication")
    brokers = [given.bootstrap]
    consumer = {
        **FETCH,
        # Otherwise it reads statistics as JSON every second, for a gauge that nobody looks at here.
        "statistics.interval.ms": 0,
        # Its admin client is given the same, and would warn of what is for a consumer.
        "log_level": 3,
    }
    source = KafkaSource(brokers, [given.input_topic], add_config=consumer)
    results = op.flat_map_batch("adjudicate", op.input("events", made, source), answers)
    op.output("results", results, KafkaSink(brokers, given.results_topic, add_config=PRODUCER))
    return made


def run(given: Configuration) -> None:
    """Adjudicate until SIGTERM."""
    # Bytewax knows SIGINT only and panics when one comes within a step. It resumes from its recovery store,
    # however it was ended.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if not any(given.state.iterdir()):
        init_db_dir(given.state, 1)
    cli_main(flow(given), epoch_interval=EPOCH, recovery_config=RecoveryConfig(given.state))


if __name__ == "__main__":
    run(configuration())
