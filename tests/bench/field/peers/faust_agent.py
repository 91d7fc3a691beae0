"""An idiomatic Faust agent: ``async for event in stream.events()``, ``await results.send(...)`` each result.

At least once as far as Faust goes: before a commit it waits for what its producer still holds, but a
delivery that failed is a warning only. Its producer cannot be made idempotent. Tuned by its settings
reference: ``stream_buffer_maxsize`` and ``broker_max_poll_records`` for throughput, ``broker_commit_every``
to fit them, ``producer_linger`` and ``producer_max_batch_size``; no wait on a rebalance, none before a
start, no web server.
"""

from __future__ import annotations

import faust

from tests.bench.field.fold import Fold
from tests.bench.field.peers.configuration import configuration
from tests.bench.field.peers.faust_process import HALF_A_MILLISECOND, application, raw_topic, run


def agent(app: faust.App, results: faust.TopicT, events: faust.TopicT, fold: Fold) -> None:
    """Make the app's agent: events in, results out."""

    @app.agent(events)
    async def adjudicate(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            message = event.message
            for answer in fold.answer(message.key, message.value, message.headers or ()):
                await results.send(
                    key=message.key,
                    value=answer.value,
                    partition=message.partition,
                    timestamp=message.timestamp + HALF_A_MILLISECOND,
                    headers=answer.headers,
                )


def main() -> None:
    """Adjudicate until SIGTERM."""
    given = configuration()
    app = application(given)
    agent(app, raw_topic(app, given.results_topic), raw_topic(app, given.input_topic), Fold())
    run(app)


if __name__ == "__main__":
    main()
