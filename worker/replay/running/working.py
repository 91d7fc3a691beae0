"""A shard's replay as its process sees it: where its files are, whom it tells, and how it is stopped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

STATE = ".replay"
"""Folder in the output's that holds what a replay has put aside; it is gone when the replay is done."""


class Interrupted(Exception):  # noqa: N818  it is an order, not a fault
    """The shard's replay was asked to stop; what it has done so far is in its checkpoint."""


class Heard(Protocol):
    """Who listens to a shard's replay."""

    def resume(self, events: int, differing: int, position: int) -> None:
        """Say what an earlier run has done already; called once, first, where there is a checkpoint."""

    def advance(self, events: int, differing: int, position: int) -> None:
        """Say what is done since the last time, and how far the events are read.

        Events count whether they are of the window or before it; ``differing`` are results that differ.
        ``position`` is the place behind the last event that was read, which grows by more than the events
        where places are left out or belong to other shards.
        """

    def is_interrupted(self) -> bool:
        """Whether to write a checkpoint and raise ``Interrupted``; cheap enough to ask for every batch."""


@dataclass(frozen=True)
class ShardFiles:
    """What a shard's replay leaves in the state folder of the output ``directory``."""

    directory: Path
    number: int

    @property
    def rows(self) -> Path:
        """A ``Difference`` a line, as JSON, in order of the shard (``worker.replay.running.aside``)."""
        return self._named("rows.jsonl")

    @property
    def checkpoint(self) -> Path:
        """Where the replay stands, written whole (``worker.replay.running.whole``) when it is interrupted."""
        return self._named("checkpoint")

    @property
    def waiting(self) -> Path:
        """What the shard's replay holds on the disk while it works, and a checkpoint refers to."""
        return self._named("waiting")

    @property
    def outcome(self) -> Path:
        """The ``ShardOutcome`` as JSON: when it is there, the shard is done."""
        return self._named("outcome.json")

    def _named(self, ending: str) -> Path:
        return self.directory / STATE / f"{self.number:05}.{ending}"
