"""What each task comes to, done in this process by a user with some rights."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec.structs import replace

from tests.stream.inprocess import working
from tests.stream.streamkit import Input, Stream, claims, until
from worker.commands import dlq, history, topics
from worker.commands.letters import listed
from worker.devkit.load import records, send_load
from worker.replay.reading.topics import TopicSource
from worker.settings import Settings
from worker.stream.connection import connection
from worker.stream.redrive.selection import Selection
from worker.stream.rights.table import Task
from worker.stream.status.reading import Reader

Done = Callable[[Settings], Awaitable[Any]]

MEMBER = str(claims(1, seed=1)[0].key, "ascii")
"""Of the claims that ``run`` decides with seed 1."""


async def run(settings: Settings, stream: Stream, seed: int) -> str:
    """Decide some new claims and set a record aside."""
    await stream.publish([*claims(3, seed=seed), Input(b"k", b"no claim")])
    async with working(settings) as (_, running):

        async def is_over() -> bool:
            return running.done() or await is_drained(stream)

        await until(is_over, "the claims to be decided")
        if running.done():
            running.result()
    return "decided"


async def is_drained(stream: Stream) -> bool:
    """Whether all that was published is committed."""
    place = TopicPartition(stream.settings.input_topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=stream.settings.bootstrap_servers) as consumer:
        ends = await consumer.end_offsets([place])
    return await stream.committed() >= ends[place]


async def create_topics(settings: Settings) -> str:
    return await _told(topics._create(settings))


async def check_topics(settings: Settings) -> str:
    return await _told(topics._check(settings))


async def status(settings: Settings) -> Any:
    standing = await Reader(settings, 60.0).read()
    partitions = [
        replace(lane, lag_seconds=lane.lag_seconds and 1.0)  # how long it is by now differs each time
        for lane in standing.partitions
    ]
    return partitions, standing.dead_letters, standing.digests


async def show_history(settings: Settings) -> Any:
    return await history._find(MEMBER, settings)


async def list_letters(settings: Settings) -> Any:
    return await listed(settings, Selection())


async def redrive(settings: Settings) -> Any:
    outcomes: list[Any] = []
    await dlq._redrive(settings, Selection(), outcomes, execute=True, again=True)
    return [one.delivered.total() for one in outcomes]


async def replay(settings: Settings) -> Any:
    source = TopicSource(settings)
    (shard,) = await source.shards()
    async with source.open() as evidence:
        events = [one.value async for some in evidence.events(shard, *_whole(shard.events)) for one in some]
        results = [
            one.value async for some in evidence.results(shard, *_whole(shard.results)) for one in some
        ]
    return events, results


async def send(settings: Settings) -> int:
    load = iter([next(records(1))])
    return await send_load(connection(settings), settings.input_topic, load, 50, asyncio.Event())


TASKS: dict[Task, Done] = {
    Task.CREATE_TOPICS: create_topics,
    Task.CHECK_TOPICS: check_topics,
    Task.STATUS: status,
    Task.HISTORY: show_history,
    Task.LETTERS: list_letters,
    Task.REDRIVE: redrive,
    Task.REPLAY: replay,
    Task.SEND: send,
}
"""All but that of the worker, which needs claims to decide."""


def _whole(span: Any) -> tuple[int, int]:
    return span.begin, span.end


async def _told(work: Awaitable[int]) -> str:
    """Exit code and what was printed."""
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = await work
    return f"{code}: {said.getvalue()}"
