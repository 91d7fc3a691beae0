"""How far the processes of a replay have come: told by each in memory that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, auto
from multiprocessing.context import SpawnContext
from typing import NamedTuple

from worker.replay.reading.evidence import Shard


class Reached(NamedTuple):
    """How far all shards together have come. Places include those that hold no event of a shard."""

    events: int
    differing: int
    places: int
    places_in_all: int
    resumed_events: int
    """Of ``events`` those that an earlier run has done."""
    resumed_places: int


class _Cell(IntEnum):
    EVENTS = 0
    DIFFERING = auto()
    PLACES = auto()
    RESUMED_EVENTS = auto()
    RESUMED_PLACES = auto()


class Progress:
    """A row of numbers a shard, and the word to stop. It goes to a process among its first arguments.

    Nothing is locked: a row is written by its shard's process alone, a number at a time, and a process that
    is killed leaves nothing closed.
    """

    def __init__(self, context: SpawnContext, shards: Sequence[Shard]) -> None:
        self._shards = shards
        self._cells = context.RawArray("q", len(shards) * len(_Cell))
        self._stop = context.RawValue("b", 0)

    def stop(self) -> None:
        """Ask every process to put aside what it has done."""
        self._stop.value = 1

    def is_stopped(self) -> bool:
        """Whether they were asked to."""
        return bool(self._stop.value)

    def of(self, index: int) -> ShardProgress:
        """That of the shard at this place of the shards."""
        return ShardProgress(self, index)

    def reached(self) -> Reached:
        """The sum over all shards."""
        totals = {cell: sum(self._cells[cell :: len(_Cell)]) for cell in _Cell}
        return Reached(
            events=totals[_Cell.EVENTS],
            differing=totals[_Cell.DIFFERING],
            places=totals[_Cell.PLACES],
            places_in_all=sum(shard.events.end - shard.events.begin for shard in self._shards),
            resumed_events=totals[_Cell.RESUMED_EVENTS],
            resumed_places=totals[_Cell.RESUMED_PLACES],
        )

    def add(self, index: int, cell: _Cell, number: int) -> None:
        """Add to a number of a shard."""
        self._cells[index * len(_Cell) + cell] += number

    def put(self, index: int, cell: _Cell, number: int) -> None:
        """Put a number of a shard."""
        self._cells[index * len(_Cell) + cell] = number

    def places(self, index: int, position: int) -> int:
        """Places of a shard up to ``position``, not more than it has."""
        events = self._shards[index].events
        return max(0, min(position, events.end) - events.begin)


class ShardProgress:
    """A shard's own row: who listens to its replay (``worker.replay.running.working.Heard``)."""

    def __init__(self, progress: Progress, index: int) -> None:
        self._progress = progress
        self._index = index

    def resume(self, events: int, differing: int, position: int) -> None:
        """Say what an earlier run has done already."""
        places = self._progress.places(self._index, position)
        for cell, number in (
            (_Cell.EVENTS, events),
            (_Cell.DIFFERING, differing),
            (_Cell.PLACES, places),
            (_Cell.RESUMED_EVENTS, events),
            (_Cell.RESUMED_PLACES, places),
        ):
            self._progress.put(self._index, cell, number)

    def advance(self, events: int, differing: int, position: int) -> None:
        """Say what is done since the last time, and how far the events are read."""
        self._progress.add(self._index, _Cell.EVENTS, events)
        self._progress.add(self._index, _Cell.DIFFERING, differing)
        self._progress.put(self._index, _Cell.PLACES, self._progress.places(self._index, position))

    def is_interrupted(self) -> bool:
        """Whether the replay was asked to stop."""
        return self._progress.is_stopped()
