"""What a second worker on a second core adds, where the broker has to share both."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.scaling.cores import CORES
from tests.bench.scaling.draining import Spent, from_the_start, mixed, panels, stream_on
from tests.bench.scaling.figures import Figure
from worker.devkit.kafka import KafkaBroker

WORKERS = (1, 2)
PARTITIONS = 8
EVENTS, MEMBERS = 120_000, 20_000


def measure(*, is_quick: bool) -> Figure:
    """A backlog; each worker has a core, the broker is on whichever is free."""
    runs, events = (1, EVENTS // 10) if is_quick else (5, EVENTS)
    backlog = mixed(events, MEMBERS)
    spent: dict[int, list[Spent]] = defaultdict(list)
    with TemporaryDirectory() as name, KafkaBroker(Path(name)) as broker:

        def run(number: int, count: int) -> Spent:
            places = [[CORES[worker % len(CORES)]] for worker in range(count)]
            with ExitStack() as ending:
                stream = stream_on(broker, f"run-{number}-of-{count}", Path(name), ending, PARTITIONS)
                return asyncio.run(from_the_start(stream, places, backlog, broker))

        run(0, 1)  # the broker's own start, which is not measured
        for number in range(1, runs + 1):
            for count in WORKERS:
                spent[count].append(run(number, count))
    return Figure(
        "Two workers on two cores against one; the broker shares both cores",
        "workers",
        panels(spent),
        is_logarithmic=False,
    )
