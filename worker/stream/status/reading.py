"""Reading how a stream stands: what is asked of the brokers, in which order, and what that comes to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from worker.stream.errors import Refused
from worker.stream.redrive.ledger import ledger_topic
from worker.stream.rights.missing import naming_what_lacks
from worker.stream.rights.table import Task
from worker.stream.status.asking import COMMITTED, EARLIEST, LATEST, asking
from worker.stream.status.backlog import oldest
from worker.stream.status.bases import last_bases
from worker.stream.status.group import read_group
from worker.stream.status.letters import LetterCounter
from worker.stream.status.opened import opened
from worker.stream.status.read import Read
from worker.stream.status.summing import summed
from worker.stream.status.tails import Span, tails
from worker.stream.topics import ABSENT, CREATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from worker.settings import Settings
    from worker.stream.status.asking import Asking
    from worker.stream.status.letters import Counts
    from worker.stream.status.standing import Standing

RETRY_S = 0.2


class Reader:
    """Reads a standing, again and again if need be; ``now`` is the wall clock."""

    def __init__(
        self,
        settings: Settings,
        most_lag_s: float,
        *,
        dead_letters: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._most_lag_s = most_lag_s
        self._counter = LetterCounter(settings) if dead_letters else None
        self._now = now

    async def read(self) -> Standing:
        """How the stream stands now.

        What may pass is asked again for MMS_REQUEST_TIMEOUT_S: an election, a group that is being loaded.
        Raises Refused where a topic is missing, and what aiokafka raises.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.request_timeout_s
        async with naming_what_lacks(self._settings, Task.STATUS), asking(self._settings) as client:
            while True:
                try:
                    return summed(await self._read(client), self._settings, self._most_lag_s)
                except KafkaError as error:
                    if not error.retriable or loop.time() > deadline:
                        raise
                await asyncio.sleep(RETRY_S)

    async def _read(self, client: Asking) -> Read:
        settings = self._settings
        there = await client.leaders()
        counts = _counted(there, settings)
        # Before the ends: what is committed later may lie behind them.
        group = await read_group(client, settings, counts[settings.input_topic])
        names = [*_topics(settings), *([ledger_topic(settings)] * (ledger_topic(settings) in there))]
        places = [TopicPartition(topic, number) for topic in names for number in range(there[topic])]
        begins = await client.offsets(places, EARLIEST)
        stable = await client.offsets(places, LATEST, COMMITTED)
        ends = await client.offsets(places, LATEST)
        spans = {place: Span(begins[place], max(begins[place], stable[place])) for place in places}
        written = _of(spans, (settings.results_topic, settings.dead_letter_topic, settings.changelog_topic))
        results = _of(spans, (settings.results_topic,))
        undecided = {
            place: Span(max(span.first, min(span.end, group.committed.get(place.partition, 0))), span.end)
            for place, span in _of(spans, (settings.input_topic,)).items()
        }
        found = await tails(client, written, results)
        lasts = {place: tail.last.batch for place, tail in found.items() if tail.last}
        unstable = {
            place: Span(span.end, ends[place]) for place, span in spans.items() if ends[place] > span.end
        }
        return Read(
            counts,
            group,
            spans,
            ends,
            await oldest(client, undecided),
            found,
            await last_bases(client, lasts),
            await opened(client, unstable),
            await self._letters(spans),
            self._now().timestamp(),
        )

    async def _letters(self, spans: dict[TopicPartition, Span]) -> Counts | None:
        if self._counter is None:
            return None

        def by_number(topic: str) -> dict[int, Span]:
            return {place.partition: span for place, span in _of(spans, (topic,)).items()}

        letters = by_number(self._settings.dead_letter_topic)
        return await self._counter.count(letters, by_number(ledger_topic(self._settings)))


def _topics(settings: Settings) -> tuple[str, ...]:
    return (
        settings.input_topic,
        settings.results_topic,
        settings.dead_letter_topic,
        settings.changelog_topic,
    )


def _counted(there: dict[str, int], settings: Settings) -> dict[str, int]:
    missing = [topic for topic in _topics(settings) if topic not in there]
    if missing:
        told = "; ".join(f"topic {topic} {ABSENT}" for topic in missing)
        raise Refused(f"{told}; repair: {CREATE}")
    return {topic: there[topic] for topic in _topics(settings)}


def _of(spans: dict[TopicPartition, Span], topics: Iterable[str]) -> dict[TopicPartition, Span]:
    wanted = set(topics)
    return {place: span for place, span in spans.items() if place.topic in wanted}
