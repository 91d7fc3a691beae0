"""Evidence from topics, read partition by partition; nothing is joined or written."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from msgspec import Struct

from worker.replay.reading.evidence import EvidenceError
from worker.replay.reading.topic_plan import FROM_FILES, plan
from worker.replay.reading.window import Bounds
from worker.settings import Settings
from worker.stream.bounded import reader, up_to_end
from worker.stream.fetched import bound_what_is_unpacked
from worker.stream.rights.missing import naming_what_lacks
from worker.stream.rights.table import Task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiokafka import AIOKafkaConsumer

    from worker.replay.reading.evidence import Evidence, Record, Shard


class TopicSource(Struct, frozen=True):
    """The input and results topics of a worker's settings. Can be sent to another process."""

    settings: Settings
    bounds: Bounds = Bounds()

    async def shards(self) -> tuple[Shard, ...]:
        """A shard a partition, as the brokers tell it now; see ``plan``."""
        async with naming_what_lacks(self.settings, Task.REPLAY):
            return await plan(self.settings, self.bounds)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Evidence]:
        """The records, for one process: one stream of events and one of results at a time."""
        bound_what_is_unpacked(self.settings.input_topic)
        async with (
            naming_what_lacks(self.settings, Task.REPLAY),
            reader(self.settings) as events,
            reader(self.settings) as results,
        ):
            yield _TopicEvidence(self.settings, events, results)


class _TopicEvidence:
    """Two consumers, since events and results are read in turns and neither may wait for the other."""

    def __init__(self, settings: Settings, events: AIOKafkaConsumer, results: AIOKafkaConsumer) -> None:
        self._settings = settings
        self._events = events
        self._results = results

    def events(self, shard: Shard, begin: int, end: int) -> AsyncIterator[Sequence[Record]]:
        place = TopicPartition(self._settings.input_topic, shard.number)
        return self._read(self._events, place, begin, end)

    def results(self, shard: Shard, begin: int, end: int) -> AsyncIterator[Sequence[Record]]:
        place = TopicPartition(self._settings.results_topic, shard.number)
        return self._read(self._results, place, begin, end)

    def whole(self) -> Evidence | None:
        return None

    async def _read(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, begin: int, end: int
    ) -> AsyncIterator[Sequence[Record]]:
        where = f"partition {place.partition} of {place.topic}"
        try:
            async for records in up_to_end(consumer, place, self._settings.patience_s, begin, end):
                yield records
        except OffsetOutOfRangeError as error:
            gone = error.args[0].get(place, begin)  # the offset that was asked for, by partition
            raise EvidenceError(
                f"{where}: the records from offset {gone} on are gone, they were there when the replay was "
                f"planned; {FROM_FILES}"
            ) from error
        except TimeoutError as error:
            known = consumer.highwater(place)
            if known is None or known >= end:
                raise
            raise EvidenceError(
                f"{where}: the log ends at {known} now, and at {end} when the replay was planned: it was "
                "made anew or lost its end; begin a new replay"
            ) from error
