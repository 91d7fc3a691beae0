"""Evidence to replay: generated events and the results that deciding them gives, as files and in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import orjson

from tests.stream.oracle import reference
from worker.adjudication import Limits, Rejected, adjudicate, decode, encode
from worker.adjudication.reference import Reference
from worker.devkit.generator import histories
from worker.replay.planning.plan import Asked, Plan
from worker.replay.planning.planned import planned
from worker.replay.reading.archives import FileSource
from worker.replay.reading.window import Bounds
from worker.replay.running.aside import reading_rows
from worker.replay.running.shard import replay_shard
from worker.replay.running.working import STATE, Interrupted, ShardFiles
from worker.replay.telling.differences import Difference
from worker.replay.telling.outcome import Counts, ShardOutcome


class Case(NamedTuple):
    """Events as they come in, and what deciding them publishes: lines of JSON."""

    events: list[bytes]
    results: list[bytes]


class Folding:
    """Decides events one after the other, and keeps what is held of each member."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def decide(self, events: Sequence[bytes], by: Reference) -> list[bytes]:
        """The results of events in their order, as the worker publishes them."""
        results = []
        for line in events:
            event = decode(line)
            if isinstance(event, Rejected):
                continue
            answer = adjudicate(event, self._held.get(event.data.member_id), by, Limits())
            if not isinstance(answer, Rejected):
                results += [encode(result) for result in answer.results]
                if answer.history is not None:
                    self._held[event.data.member_id] = answer.history
        return results


def decided(events: Sequence[bytes], by: Reference | None = None) -> list[bytes]:
    """The results of events from the beginning."""
    return Folding().decide(events, by or reference())


def made_up(count: int, seed: int = 5, members: int = 60) -> Case:
    """Generated events of all types, some of them dead letters, and their results."""
    events = [orjson.dumps(event) for event in histories(count, seed, members, strays=True)]
    return Case(events, decided(events))


@dataclass
class Listening:
    """Hears a shard's replay, and interrupts it at some batch if asked to."""

    interrupt_at: int | None = None
    batches: int = 0
    resumed: list[tuple[int, int, int]] = field(default_factory=list)
    told: list[tuple[int, int, int]] = field(default_factory=list)

    def resume(self, events: int, differing: int, position: int) -> None:
        self.resumed.append((events, differing, position))

    def advance(self, events: int, differing: int, position: int) -> None:
        self.batches += 1
        self.told.append((events, differing, position))

    def is_interrupted(self) -> bool:
        return self.batches == self.interrupt_at


class Replayed(NamedTuple):
    """What a replay came to, over all shards."""

    plan: Plan
    outcomes: list[ShardOutcome]
    rows: list[Difference]

    @property
    def counts(self) -> Counts:
        whole = Counts()
        for outcome in self.outcomes:
            whole.add(outcome.counts)
        return whole


def write(directory: Path, case: Case) -> tuple[Path, Path]:
    """The two files of a case."""
    directory.mkdir(parents=True, exist_ok=True)
    events, results = directory / "events.jsonl", directory / "results.jsonl"
    events.write_bytes(b"".join(line + b"\n" for line in case.events))
    results.write_bytes(b"".join(line + b"\n" for line in case.results))
    return events, results


def replayed(
    directory: Path, case: Case, asked: Asked | None = None, parts: int = 1, within: Bounds | None = None
) -> Replayed:
    """Replay a case from files, shard by shard in this process."""
    events, results = write(directory, case)
    source = FileSource((events,), (results,), parts, within or Bounds())
    return asyncio.run(_replayed(source, asked or Asked(Limits()), directory / "out"))


async def _replayed(source: FileSource, asked: Asked, out: Path) -> Replayed:
    plan = await planned(source, asked)
    return await carried_out(plan, out, Listening)


async def carried_out(plan: Plan, out: Path, listening: Callable[[], Listening]) -> Replayed:
    """Carry out a plan; a shard that is interrupted is gone on with at once."""
    (out / STATE).mkdir(parents=True, exist_ok=True)
    outcomes, rows = [], []
    for shard in plan.shards:
        files = ShardFiles(out, shard.number)
        while True:
            async with plan.source.open() as evidence:
                try:
                    outcomes.append(await replay_shard(plan, evidence, shard, files, listening()))
                    break
                except Interrupted:
                    continue
        rows += reading_rows(files.rows)
    return Replayed(plan, outcomes, rows)
