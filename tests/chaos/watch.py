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

from tests.chaos.evidence import Seen, seen
from tests.chaos.patience import until
from worker.settings import Settings
from worker.stream.markers import pass_emptied_markers
from worker.stream.topics import admin

LOOK_S = 0.1
"""How often the group's offsets are asked for; recovery is not told more exactly."""
ANSWER_S = 5.0
PAUSE_S = 0.5


class Follower:
    """A consumer without a group that reads results, dead letters and changelog while they are written.

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
        self._settings = settings
        self._changelog = settings.changelog_topic
        topics = (settings.results_topic, settings.dead_letter_topic, self._changelog)
        places = [TopicPartition(topic, number) for topic in topics for number in range(settings.partitions)]
        self._next = dict.fromkeys(places, 0)
        self.watched = {place: [] for place in places if place.topic != self._changelog}

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
                    self._take(place, records)
                for place in self._next:  # behind markers and aborted records nothing is seen
                    self._next[place] = await consumer.position(place)

    def _take(self, place: TopicPartition, records: list[ConsumerRecord[Any, Any]]) -> None:
        self._next[place] = records[-1].offset + 1
        if place.topic != self._changelog:
            self.watched[place].extend(map(seen, records))
            return
        self.written += len(records)
        histories = self.histories[place.partition]
        for record in records:
            histories[record.key] = record.value


class Offsets:
    """The group's committed offsets, asked for again and again."""

    def __init__(self, settings: Settings, look: Callable[[Mapping[int, int]], None]) -> None:
        """``look`` is called with the offset in each partition each time that they were told."""
        self.history: dict[int, list[int]] = defaultdict(list)
        """Of each partition, an entry each time that the offset was another than before."""
        self._changed = time.monotonic()
        self._settings = settings
        self._look = look

    @property
    def last(self) -> dict[int, int]:
        """The offset in each partition, as it was told last."""
        return {partition: offsets[-1] for partition, offsets in self.history.items()}

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
                    told = await client.list_consumer_group_offsets(self._settings.app_id)
                for place, offset in told.items():  # a coordinator that is only being elected tells none
                    self._take(place.partition, offset.offset)
                self._look(self.last)
                await asyncio.sleep(LOOK_S)

    def _take(self, partition: int, offset: int) -> None:
        offsets = self.history[partition]
        if not offsets or offsets[-1] != offset:
            offsets.append(offset)
            self._changed = time.monotonic()
