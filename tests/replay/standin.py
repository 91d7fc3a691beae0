"""Stands in for a shard's replay, where all around it is tested: places are walked, every seventh differs.

As a program it replays into the folder of its first argument, as the command would.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from aiokafka.errors import KafkaConnectionError
from msgspec import Struct, field

from worker.adjudication import Limits
from worker.replay.planning.plan import Plan, TopicRead
from worker.replay.reading.archived import Line
from worker.replay.reading.chain import Chain, ChainState
from worker.replay.reading.evidence import EvidenceError, Shard, Span
from worker.replay.running.aside import writing_rows
from worker.replay.running.whole import write_whole
from worker.replay.running.working import Interrupted
from worker.replay.telling.differences import Difference
from worker.replay.telling.outcome import Counts, ShardOutcome
from worker.settings import Settings
from worker.stream.errors import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.replay.reading.evidence import Evidence
    from worker.replay.running.working import Heard, ShardFiles

STEP = 10
EVERY = 7
MEMBER = "MBR-77"
"""No output may show it."""

Fault = Literal["evidence", "refused", "not allowed", "unreachable", "bug", "killed"]


@dataclass(frozen=True)
class Walk:
    """The source: how far, what goes wrong on which shard, and whether it waits half-way.

    With a ``gate`` every shard that has come half-way leaves its number there, and goes on when the gate has
    a file ``open``.
    """

    places: tuple[int, ...]
    faults: tuple[tuple[int, Fault], ...] = ()
    gate: Path | None = None

    async def shards(self) -> tuple[Shard, ...]:
        spans = enumerate(Span(0, places) for places in self.places)
        return tuple(Shard(number, span, span, span.end, span) for number, span in spans)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        yield self


class Checkpoint(Struct):
    position: int
    rows_end: int
    chain: ChainState
    counts: Counts = field(default_factory=Counts)


async def walk(plan: Plan, evidence: Evidence, shard: Shard, files: ShardFiles, heard: Heard) -> ShardOutcome:
    """Walk a shard's places."""
    source: Any = evidence
    if (fault := dict(source.faults).get(shard.number)) is not None:
        await fail(fault, source.gate)
    at = Checkpoint(shard.events.begin, 0, Chain().state)
    if files.checkpoint.exists():
        at = msgspec.json.decode(files.checkpoint.read_bytes(), type=Checkpoint)
        heard.resume(at.position, at.counts.results_differing, at.position)
    chain = Chain(at.chain)
    with writing_rows(files.rows, at.rows_end) as rows:
        while at.position < shard.events.end:
            if heard.is_interrupted():
                at.rows_end, at.chain = rows.end(), chain.state
                write_whole(files.checkpoint, msgspec.json.encode(at))
                raise Interrupted
            if at.position * 2 >= shard.events.end and is_shut(source.gate, shard.number):
                await asyncio.sleep(0.001)
                continue
            places = range(at.position, min(at.position + STEP, shard.events.end))
            differing = [place for place in places if place % EVERY == 0]
            rows.write([row(shard.number, place) for place in differing])
            chain.take(Line("walk", shard.number, place, 0, None, b"", ()) for place in places)
            at.position = places.stop
            at.counts.add(counts(places, differing))
            heard.advance(len(places), len(differing), at.position)
    digest, read = chain.digest, chain.records
    return ShardOutcome(shard, at.counts, [], digest, digest, read, read, at.position, 0, 1000)


def is_shut(gate: Path | None, number: int) -> bool:
    if gate is None:
        return False
    (gate / str(number)).touch()
    return not (gate / "open").exists()


def counts(places: range, differing: list[int]) -> Counts:
    return Counts(
        events_replayed=len(places),
        results_published=len(places),
        results_decided=len(places),
        reproduced=len(places) - len(differing),
        results_by_cause={"history": len(differing)} if differing else {},
    )


def row(partition: int, place: int) -> Difference:
    return Difference(
        partition=partition,
        offset=place,
        result_offset=place,
        event_type="mms.claim.submitted.v1",
        claim_id=f"CLM-{place}",
        line=1,
        cause="history",
        change="units",
        units_before=1,
        member_id=MEMBER,
    )


def is_anybody_at(gate: Path) -> bool:
    return any(gate.iterdir())


async def fail(fault: Fault, gate: Path | None) -> None:
    """Fail; with a gate, once another shard has come half-way."""
    while gate is not None and not is_anybody_at(gate):  # noqa: ASYNC110  another process comes there
        await asyncio.sleep(0.001)
    match fault:
        case "evidence":
            raise EvidenceError("the log is cut off")
        case "refused":
            raise Refused("the topic is not there")
        case "unreachable":
            raise KafkaConnectionError("no broker answers")
        case "bug":
            raise KeyError(MEMBER)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)


async def planned(source: Walk, *, with_phi: bool = False) -> Plan:
    return Plan(
        kind="replay",
        source=source,
        inputs=(TopicRead("events", "events"), TopicRead("results", "results")),
        shards=await source.shards(),
        recorded=(),
        other=None,
        limits=Limits(),
        with_phi=with_phi,
        named=(),
        deciding=Settings(),
    )


def main(out: Path, gate: Path, *options: str) -> None:
    """Replay three shards over two processes, which import this module too: not what the command needs."""
    from worker.commands.brokers import telling  # noqa: PLC0415  see above
    from worker.commands.replaying import Order, before_or_exit, replay_or_exit  # noqa: PLC0415

    with telling():
        before = before_or_exit(out, resume="--resume" in options)
        plan = asyncio.run(planned(Walk((400, 100, 300), gate=gate)))
        replay_or_exit(plan, Order(out, before, ("replay", *options), processes=2), walk)


if __name__ == "__main__":
    directory, gate_directory, *rest = sys.argv[1:]
    main(Path(directory), Path(gate_directory), *rest)
