"""What a contestant is told by whoever starts it: the ``BENCH_`` variables of its environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Configuration(NamedTuple):
    """Where the events are, where the results go, and what is the contestant's own."""

    bootstrap: str
    """Host and port of a broker."""
    input_topic: str
    results_topic: str
    changelog_topic: str
    """Compacted; for those that keep their histories there."""
    group: str
    """Consumer group, application id or transactional id; new for each run."""
    partitions: int
    """Of each of the three topics."""
    state: Path
    """An existing directory that is empty before the run."""


def configuration() -> Configuration:
    """What the environment says. Raises KeyError or ValueError when something is missing or no number."""
    return Configuration(
        bootstrap=os.environ["BENCH_BOOTSTRAP"],
        input_topic=os.environ["BENCH_INPUT"],
        results_topic=os.environ["BENCH_RESULTS"],
        changelog_topic=os.environ["BENCH_CHANGELOG"],
        group=os.environ["BENCH_GROUP"],
        partitions=int(os.environ["BENCH_PARTITIONS"]),
        state=Path(os.environ["BENCH_STATE"]),
    )
