"""Kills workers at random moments of their work, and lets others take their places."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from tests.stream.streamkit import Input, Stream, until
from worker.devkit.generator import histories

WORKERS = 2
SMALL_BATCH = 20
"""Records a batch: a thousand transactions, so that most moments are within one."""
LONGEST_DELAY_S = 1.5
"""Long enough to meet workers that start, join, restore or rebalance after the last kill."""
QUICK = {"session_timeout_s": 2, "revoke_deadline_s": 1, "batch_max_records": SMALL_BATCH}
"""A killed worker's partitions wait for the end of its session."""
QUICK_BROKER = {"group.min.session.timeout.ms": 1000}


class Kill(NamedTuple):
    """A worker is killed ``delay`` seconds after so many input records are committed."""

    committed: int
    delay: float
    worker: int


def kills(seed: int, records: int, count: int) -> list[Kill]:
    """Random kills, the last of them while a fourth of the records is still to be decided."""
    chance = random.Random(seed)  # noqa: S311  nothing is guarded by it
    moments = sorted(chance.randrange(1, records * 3 // 4) for _ in range(count))
    return [Kill(moment, chance.uniform(0, LONGEST_DELAY_S), chance.randrange(WORKERS)) for moment in moments]


def events(count: int, seed: int, members: int) -> list[Input]:
    """Generated events of all types, those that become dead letters among them."""
    made = histories(count, seed, members, strays=True)
    return [Input(event["data"]["member_id"].encode(), orjson.dumps(event)) for event in made]


async def work_through(stream: Stream, records: int, plan: Sequence[Kill]) -> None:
    """Have workers decide so many records while the plan is carried out; those that are left stay alive."""
    workers = [stream.worker(**QUICK) for _ in range(WORKERS)]
    for kill in plan:
        await stream.drained(kill.committed)
        await asyncio.sleep(kill.delay)  # the moment is at random; nothing waits for anything here
        assert await stream.committed() < records, f"{kill} came too late"
        assert [worker.exit_code for worker in workers] == [None] * WORKERS, workers[0].text + workers[1].text
        workers[kill.worker].kill()
        workers[kill.worker] = stream.worker(**QUICK)
    await stream.drained(records)
    assert [worker.exit_code for worker in workers] == [None] * WORKERS


@asynccontextmanager
async def following(stream: Stream) -> AsyncIterator[dict[int, list[ConsumerRecord[Any, Any]]]]:
    """What a consumer sees of the results while they are written, by partition; complete on exit."""
    topic = stream.settings.results_topic
    places = [TopicPartition(topic, number) for number in range(stream.settings.partitions)]
    seen: dict[int, list[ConsumerRecord[Any, Any]]] = defaultdict(list)
    async with AIOKafkaConsumer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    ) as consumer:
        consumer.assign(places)

        async def follow() -> None:
            while True:
                for place, records in (await consumer.getmany(timeout_ms=200)).items():
                    seen[place.partition] += records

        reading = asyncio.ensure_future(follow())
        try:
            yield seen
            final = sum(map(len, (await stream.results()).values()))
            await until(lambda: sum(map(len, seen.values())) >= final, "the follower to come to the end")
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
