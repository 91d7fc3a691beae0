"""The agent of ``faust_agent`` with its histories in a ``Table``, Faust's own way to keep state.

The table is in memory, with a changelog topic: like the worker, and unlike the other contestants in Python,
this one has its histories after a restart. Faust writes the changelog in the background and couples it
neither to the results nor to the offsets.
"""

from __future__ import annotations

import faust

from tests.bench.field.fold import Fold
from tests.bench.field.peers.configuration import configuration
from tests.bench.field.peers.faust_agent import agent
from tests.bench.field.peers.faust_process import application, raw_topic, run


class TableFold(Fold):
    """The fold over histories that a table holds. To be asked from an agent only."""

    def __init__(self, histories: faust.TableT[bytes, bytes]) -> None:
        super().__init__()
        self._histories = histories


def main() -> None:
    """Adjudicate until SIGTERM."""
    given = configuration()
    app = application(given)
    histories = app.Table(
        "history",
        key_type=bytes,
        value_type=bytes,
        partitions=given.partitions,
        changelog_topic=raw_topic(app, given.changelog_topic),
    )
    agent(
        app,
        raw_topic(app, given.results_topic),
        raw_topic(app, given.input_topic),
        TableFold(histories),
    )
    run(app)


if __name__ == "__main__":
    main()
