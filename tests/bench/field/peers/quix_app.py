"""A Quix Streams application: one ``apply`` that expands an event to its results, headers set, ``to_topic``.

``BENCH_GUARANTEE`` says what it works by, ``at-least-once`` or ``exactly-once``; with the latter each
checkpoint is a transaction. Tuned: ``commit_every`` and ``commit_interval``, which its page on checkpoints
names for how much work one holds; bytes for keys and values, so that nothing is read as JSON twice;
``librdkafka.PRODUCER`` and ``FETCH``. It consumes message by message and has no setting for that.
``to_topic`` takes no partition: results go where their key does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from quixstreams import Application

from tests.bench.field.fold import Answer, Fold
from tests.bench.field.peers.configuration import Configuration, configuration
from tests.bench.field.peers.librdkafka import FETCH, PRODUCER

CHECKPOINT = 10_000
"""Records at most between two commits."""
CHECKPOINT_S = 0.2


def application(given: Configuration, guarantee: str) -> Application:
    """Events in, results out."""
    made = Application(
        broker_address=given.bootstrap,
        consumer_group=given.group,
        auto_offset_reset="earliest",
        processing_guarantee=guarantee,
        commit_every=CHECKPOINT,
        commit_interval=CHECKPOINT_S,
        consumer_extra_config={**FETCH, "isolation.level": "read_committed"},
        producer_extra_config=dict(PRODUCER),
        consumer_poll_timeout=0.2,
        state_dir=given.state,
        auto_create_topics=False,
        use_changelog_topics=False,
        loglevel="ERROR",
    )
    as_bytes = {
        "key_deserializer": "bytes",
        "key_serializer": "bytes",
        "value_deserializer": "bytes",
        "value_serializer": "bytes",
    }
    events = made.dataframe(made.topic(given.input_topic, **as_bytes))
    fold = Fold()

    def adjudicate(
        value: bytes, key: bytes, _timestamp: int, headers: Sequence[tuple[str, bytes]] | None
    ) -> list[Answer]:
        return fold.answer(key, value, headers or ())

    answers = events.apply(adjudicate, expand=True, metadata=True)
    answers = answers.set_headers(lambda answer, _key, _timestamp, _headers: answer.headers)
    answers.apply(lambda answer: answer.value).to_topic(made.topic(given.results_topic, **as_bytes))
    return made


if __name__ == "__main__":
    # Ends by itself on SIGTERM.
    application(configuration(), os.environ["BENCH_GUARANTEE"]).run()
