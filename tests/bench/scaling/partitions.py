"""What a worker does by how many partitions it has: a lane, a producer and a transaction each."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.scaling.cores import MEASURED, OTHER, on
from tests.bench.scaling.draining import Spent, from_the_start, mixed, panels, stream_on
from tests.bench.scaling.figures import Figure
from worker.devkit.kafka import KafkaBroker

PARTITIONS = (1, 2, 4, 8, 16, 32, 64)
EVENTS, MEMBERS = 80_000, 20_000


def measure(*, is_quick: bool) -> Figure:
    """A backlog, one worker on one core and the broker on another; each run has topics of its own."""
    counts, runs, events = ((1, 8, 64), 1, EVENTS // 10) if is_quick else (PARTITIONS, 3, EVENTS)
    backlog = mixed(events, MEMBERS)
    spent: dict[int, list[Spent]] = defaultdict(list)
    with TemporaryDirectory() as name, on(OTHER), KafkaBroker(Path(name)) as broker:

        def run(number: int, count: int) -> Spent:
            with ExitStack() as ending:
                stream = stream_on(broker, f"run-{number}-of-{count}", Path(name), ending, count)
                return asyncio.run(from_the_start(stream, [MEASURED], backlog, broker))

        run(0, counts[0])  # the broker's own start, which is not measured
        for number in range(1, runs + 1):
            for count in counts:
                spent[count].append(run(number, count))
    return Figure("What one worker does by how many partitions it has", "partitions", panels(spent))
