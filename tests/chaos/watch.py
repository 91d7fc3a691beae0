"""Two observers of a run: what a read_committed consumer sees as it is written, and the group's offsets."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from tests.chaos.cluster import OFFSETS, OFFSETS_PARTITIONS
from tests.chaos.commits import commit_of, committed
from tests.chaos.evidence import Seen, seen
from tests.stream.streamkit import until
from worker.settings import Settings
from worker.stream.markers import pass_emptied_markers
from worker.stream.topics import admin

LOOK_S = 0.1
"""How often the group's offsets are asked for; recovery is not told more exactly."""
ANSWER_S = 5.0
PAUSE_S = 0.5


class Follower:
    """A consumer without a group that reads what is written while it is: all topics but the input's.

    When Kafka fails it goes on behind the last record that it saw: what it has seen once it never sees again,
    so all of it together is one view.
    """

    def __init__(self, settings: Settings) -> None:
        self.watched: dict[TopicPartition, list[Seen]] = {}
        """Results and dead letters in the order in which they were seen."""
        self.histories: dict[int, dict[bytes, bytes]] = defaultdict(dict)
        """What the changelog says in the end, by partition and member."""
        self.written = 0
        """Records of the changelog."""
        self.commits: dict[int, list[int]] = defaultdict(list)
        """Every offset that the group has committed, by partition of the input, in their order."""
        self._settings = settings
        self._takes: dict[str, Callable[[TopicPartition, list[ConsumerRecord[Any, Any]]], None]] = {
            settings.results_topic: self._take_published,
            settings.dead_letter_topic: self._take_published,
            settings.changelog_topic: self._take_histories,
            OFFSETS: self._take_commits,
        }
        sizes = {**dict.fromkeys(self._takes, settings.partitions), OFFSETS: OFFSETS_PARTITIONS}
        places = [TopicPartition(topic, number) for topic, size in sizes.items() for number in range(size)]
        self._next = dict.fromkeys(places, 0)
        self.watched = {place: [] for place in places if self._takes[place.topic] == self._take_published}

    @property
    def published(self) -> int:
        """Results and dead letters that it has seen up to now."""
        return sum(map(len, self.watched.values()))

    async def run(self) -> None:
        """Read until cancelled."""
        pass_emptied_markers()
        while True:
            with suppress(KafkaError, OSError, TimeoutError):
                await self._read()
            await asyncio.sleep(PAUSE_S)

    async def caught_up(self, ends: Mapping[TopicPartition, int]) -> None:
        """Wait until it has come to these ends."""
        await until(
            lambda: all(self._next[place] >= end for place, end in ends.items() if place in self._next),
            "the concurrent consumer to come to the end",
        )

    async def _read(self) -> None:
        async with AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap_servers,
            isolation_level="read_committed",
            auto_offset_reset="none",
            max_partition_fetch_bytes=8 << 20,
        ) as consumer:
            consumer.assign(list(self._next))
            for place, offset in self._next.items():
                consumer.seek(place, offset)
            while True:
                for place, records in (await consumer.getmany(timeout_ms=200)).items():
                    self._next[place] = records[-1].offset + 1
                    self._takes[place.topic](place, records)
                for place in self._next:  # behind markers and aborted records nothing is seen
                    self._next[place] = await consumer.position(place)

    def _take_published(self, place: TopicPartition, records: list[ConsumerRecord[Any, Any]]) -> None:
        self.watched[place].extend(map(seen, records))

    def _take_histories(self, place: TopicPartition, records: list[ConsumerRecord[Any, Any]]) -> None:
        self.written += len(records)
        self.histories[place.partition].update((record.key, record.value) for record in records)

    def _take_commits(self, _: TopicPartition, records: list[ConsumerRecord[Any, Any]]) -> None:
        ours = self._settings.app_id, self._settings.input_topic
        for record in records:
            commit = commit_of(record.key, record.value)
            if commit is not None and (commit.group, commit.topic) == ours:
                self.commits[commit.partition].append(commit.offset)


class Offsets:
    """The group's committed offsets, asked for again and again.

    What it is told may be of a moment ago: a broker that has just become the coordinator answers from what it
    knows to be replicated, and that can be a little less than the one before it knew. So an offset that goes
    back here proves nothing; what was committed is for the ``Follower`` to see.
    """

    def __init__(self, settings: Settings, look: Callable[[Mapping[int, int]], None]) -> None:
        """``look`` is called with the offset in each partition each time that they were told."""
        self.last: dict[int, int] = {}
        """The offset in each partition, as it was told last."""
        self._changed = time.monotonic()
        self._settings = settings
        self._look = look

    @property
    def still_for(self) -> float:
        """Seconds for which all of them have been as they are."""
        return time.monotonic() - self._changed

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            with suppress(KafkaError, OSError, TimeoutError):
                await self._ask()
            await asyncio.sleep(PAUSE_S)

    async def _ask(self) -> None:
        async with admin(self._settings) as client:
            while True:
                async with asyncio.timeout(ANSWER_S):
                    told = await committed(client, self._settings)
                if told != self.last:
                    self.last, self._changed = told, time.monotonic()
                self._look(told)
                await asyncio.sleep(LOOK_S)
