"""Many members' histories, made cheaply: those of some generated members, again and again under other names.

Events go to each generated member in one of its copies. So however many members there are, the same events
meet the same histories, and only what lies beside them grows.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.bench.backlog import NAMES
from tests.bench.scaling.core import folded
from tests.bench.scaling.draining import mixed
from tests.stream.streamkit import Stream, until
from worker.reference import load_reference
from worker.stream.deciding import partition_of
from worker.stream.outgoing import Outgoing
from worker.stream.transactions.producer import TransactionalProducer

EVENTS_PER_MEMBER = 4.5
"""Of the generated stream, up to where it has met every member."""
SPARE = 1.25
"""Events that are generated for one of a load: some come twice, or for members not met before."""
WRITTEN_MS = 1_700_000_000_000


class Population(NamedTuple):
    """Members with histories, and what comes for them."""

    histories: dict[bytes, bytes]
    """By the member's key."""
    loads: Sequence[Sequence[tuple[bytes, bytes]]]
    """Keys and events, one load after the other."""

    def copies(self, count: int) -> Iterator[dict[bytes, bytes]]:
        """The histories under so many names, one name after the other."""
        for number in range(count):
            name = _name(number)
            yield {
                key.replace(NAMES, name): state.replace(NAMES, name) for key, state in self.histories.items()
            }

    def load(self, number: int, copies: int) -> list[tuple[bytes, bytes]]:
        """The load of that number, spread over so many copies of the members."""
        found = []
        for key, value in self.loads[number]:
            name = _name(crc32(key) % copies)
            found.append((key.replace(NAMES, name), value.replace(NAMES, name)))
        return found


def _name(copy: int) -> bytes:
    """As long as what it replaces: a stored history tells the length of each text in it."""
    return b"-%02x-" % copy


def populated(members: int, loads: int, events: int) -> Population:
    """So many members, and loads of so many events each."""
    past = round(members * EVENTS_PER_MEMBER)
    made = mixed(past + round(SPARE * loads * events), members)
    reference = load_reference()
    histories: dict[bytes, bytes] = {}
    for key, value in made[:past]:
        histories[key] = folded(value, histories.get(key), reference)
    seen = {_id(value) for _, value in made[:past]}
    # A copy of a history knows events by the names of the first, so none may come again.
    fresh = [(key, value) for key, value in made[past:] if key in histories and _id(value) not in seen]
    if len(fresh) < loads * events:
        raise ValueError(f"there are {len(fresh)} events for loads of {loads * events}")
    return Population(histories, [fresh[number * events : (number + 1) * events] for number in range(loads)])


def _id(value: bytes) -> str:
    return str(orjson.loads(value)["id"])


async def _led(stream: Stream, places: Sequence[TopicPartition]) -> None:
    """Return when the changelog's partitions can be written to, which new ones cannot at once."""
    settings = stream.settings
    changelog = [TopicPartition(settings.changelog_topic, place.partition) for place in places]
    async with AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers) as consumer:
        await until(lambda: consumer.end_offsets(changelog), "leaders of the changelog")


async def write(stream: Stream, population: Population, copies: int) -> None:
    """Write the histories to the stream's changelog, as its lanes would before any input has come."""
    settings = stream.settings
    places = [TopicPartition(settings.input_topic, number) for number in range(settings.partitions)]
    await _led(stream, places)
    producers = [TransactionalProducer(place, settings) for place in places]
    await asyncio.gather(*(producer.start() for producer in producers))
    try:
        for histories in population.copies(copies):
            placed: dict[int, list[Outgoing]] = defaultdict(list)
            for key, state in histories.items():
                placed[partition_of(key, settings.partitions)].append(Outgoing(key, state, WRITTEN_MS, ()))
            await asyncio.gather(
                *(
                    producers[number].commit({settings.changelog_topic: records}, 0)
                    for number, records in placed.items()
                )
            )
    finally:
        await asyncio.gather(*(producer.close() for producer in producers))
