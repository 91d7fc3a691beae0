"""A run: cluster, workers, load and observers put together, the faults injected, the end read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.cluster import Cluster
from tests.chaos.ending import Final, input_ends, read_all, stable_ends
from tests.chaos.faults import plan
from tests.chaos.fleet import QUICK, SIZE, Fleet
from tests.chaos.inject import Stage, carry_out, in_sync
from tests.chaos.journal import Journal
from tests.chaos.load import Load
from tests.chaos.watch import Follower, Offsets
from tests.stream.streamkit import Stream, Stuck, until
from worker.stream.topics import admin, create_missing, specs

PARTITIONS = 6
REPLICATION = 3
DRAIN_S = 60.0
"""How long nothing may be committed, while there is something to commit and nothing is done to anyone."""
COMPACTING = {
    "segment.bytes": str(1 << 20),
    "segment.ms": "10000",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "0",
}
"""Settings of the changelog with which the log cleaner is at it all the time."""


class Options(NamedTuple):
    """What a run is asked for; the same options, the same plan and the same records."""

    seed: int
    minutes: float
    kills: int = 0


class Observers(NamedTuple):
    """Who sends and who looks on."""

    load: Load
    follower: Follower
    offsets: Offsets


class Ran(NamedTuple):
    """A run that is over, with all there is to judge it by."""

    options: Options
    directory: Path
    """Logs and data."""
    stream: Stream
    stage: Stage
    seen: Observers
    final: Final
    in_time: int
    """Results and dead letters that the concurrent consumer had seen when the load stopped."""
    seconds: float
    """From the beginning of the faults to the commit of the last record."""
    stuck: list[str]
    """What did not come about in the end."""


async def run(options: Options, directory: Path, tell: Callable[[str], None]) -> Ran:
    """Run it; logs and data stay in ``directory``, each step is told. Nothing is left running.

    Raises BrokerError if the cluster cannot be run, Stuck if a fault cannot be carried out to its end.
    """
    with ExitStack() as ending:
        async with Cluster(directory / "kafka") as cluster:
            stream = await _stream(cluster, directory, ending)
            load = Load(stream.settings, options.seed, options.minutes)
            journal = Journal(directory / "timeline.log", tell, load.ends)
            stage = Stage(cluster, stream.settings, Fleet(stream, cluster.proxied), journal)
            seen = Observers(load, Follower(stream.settings), Offsets(stream.settings, journal.look))
            beside = load.run(), stage.fleet.watch(), seen.follower.run(), seen.offsets.run()
            async with _beside(*beside) as (sending, *_):
                await _trouble(options, stage)
                load.stop()
                in_time = seen.follower.published
                await sending
                stuck = await _drained(await input_ends(stream), seen.offsets)
                journal.drained()
                seconds = journal.seconds
                await stage.fleet.dismiss(stage.fleet.running)
                final, late = await _end(stream, stage, seen.follower)
    return Ran(options, directory, stream, stage, seen, final, in_time, seconds, stuck + late)


async def _stream(cluster: Cluster, directory: Path, ending: ExitStack) -> Stream:
    """The four topics, with a changelog that is compacted all the time."""
    stream = Stream(
        cluster.direct, "chaos", directory, ending, partitions=PARTITIONS, replication=REPLICATION, **QUICK
    )
    changelog = stream.settings.changelog_topic
    wanted = [
        spec._replace(config={**spec.config, **COMPACTING}) if spec.name == changelog else spec
        for spec in specs(stream.settings)
    ]
    async with admin(stream.settings) as client:
        await create_missing(client, wanted)
    return stream


async def _trouble(options: Options, stage: Stage) -> None:
    """Start the workers, and inject the faults once all of them are at work; ends when the time is over."""
    workers = [stage.fleet.start() for _ in range(SIZE)]
    await until(lambda: all(map(stage.fleet.has_joined, workers)), "the workers to join")
    await in_sync(stage)
    stage.journal.begin()
    await carry_out(plan(*options), stage)
    await asyncio.sleep(max(0.0, options.minutes * 60 - stage.journal.seconds))
    stage.journal.note("no more faults, no more records")


async def _end(stream: Stream, stage: Stage, follower: Follower) -> tuple[Final, list[str]]:
    """What there is in the end, and what to say if the concurrent consumer does not come there too."""
    ends = await stable_ends(stream, stage.topics)
    # First, for only then is known how many records the changelog got.
    late = await _noted(follower.caught_up({place: end.stable for place, end in ends.items()}))
    return await read_all(stream, ends, follower.written), late


async def _drained(ends: Mapping[int, int], offsets: Offsets) -> list[str]:
    """Wait until every record up to these ends is committed; what to say if that does not come about."""

    def is_drained() -> bool:
        committed = offsets.last
        if all(committed.get(partition, 0) >= end for partition, end in ends.items()):
            return True
        if offsets.still_for > DRAIN_S:
            left = {partition: end - committed.get(partition, 0) for partition, end in ends.items()}
            raise Stuck(
                f"nothing was committed for {DRAIN_S:g} s though records are left, by partition: {left}"
            )
        return False

    return await _noted(until(is_drained, "the input to be drained", within=float("inf")))


async def _noted(work: Coroutine[Any, Any, Any]) -> list[str]:
    """Await it; what to say if it is stuck."""
    try:
        await work
    except Stuck as stuck:
        return [str(stuck)]
    return []


@asynccontextmanager
async def _beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run these meanwhile, and end them afterwards. What one of them raises ends the body too."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
            yield tasks
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from several
