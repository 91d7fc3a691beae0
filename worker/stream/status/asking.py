"""Questions to the leaders of many partitions at once: one request a broker, not one a partition."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaConnectionError,
    LeaderNotAvailableError,
    NoError,
    OffsetOutOfRangeError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest

from worker.adjudication.redacted import redacted
from worker.stream.connection import connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from worker.settings import Settings

LATEST, EARLIEST = -1, -2
UNCOMMITTED, COMMITTED = 0, 1
"""Isolation levels: whether open transactions are looked into."""
HEADERS_BYTES = 2 << 10
"""Asked of a partition of which a batch's header is enough."""
ANSWER_BYTES = 8 << 20
"""Asked for in one request; a first batch that is larger comes whole."""
AT_A_TIME = 8
"""Requests for one partition that are under way together."""


@redacted
class Part(NamedTuple):
    """What to fetch of a partition."""

    offset: int
    bytes: int = HEADERS_BYTES


@redacted
class Fetched(NamedTuple):
    """What came of a partition: the batch with the offset asked for, or the first behind it, and on."""

    content: bytes
    aborted: frozenset[tuple[int, int]]
    """Producer and first offset of each aborted transaction in it, where that was asked for."""


class Asking:
    """A client that asks; ``leaders`` first, the others go by what it was told."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client
        self._leaders: dict[TopicPartition, int] = {}
        self.nodes: tuple[int, ...] = ()
        """The brokers that there are."""

    async def leaders(self) -> dict[str, int]:
        """Partitions by topic, of every topic there is: to ask by name would create them on some brokers."""
        answer = await self.ask(MetadataRequest(None))
        told = answer.to_object()
        topics = told["topics"]
        self.nodes = tuple(broker["node_id"] for broker in told["brokers"])
        self._leaders = {
            TopicPartition(topic["topic"], one["partition"]): one["leader"]
            for topic in topics
            for one in topic["partitions"]
        }
        return {topic["topic"]: len(topic["partitions"]) for topic in topics}

    async def ask(self, request: Any, node: int | None = None) -> Any:
        """The answer of a broker, of any if none is named."""
        known = self._client.get_random_node() if node is None else node
        if known is None:
            raise KafkaConnectionError("the brokers do not tell who they are")
        return await self._client.send(known, request)

    async def coordinator(self, group: str) -> int:
        """The broker that coordinates a group. Raises what it answers."""
        node: int = await self._client.coordinator_lookup(0, group)
        return node

    async def offsets(
        self, places: Iterable[TopicPartition], which: int, isolation: int = UNCOMMITTED
    ) -> dict[TopicPartition, int]:
        """Where each log begins (``EARLIEST``) or ends (``LATEST``): of all or of stable records."""

        async def one(node: int, some: list[TopicPartition]) -> Any:
            asked = [(topic, [(number, which) for number in of]) for topic, of in _by_topic(some).items()]
            return await self.ask(OffsetRequest(-1, isolation, asked), node)

        by_node = self._by_leader(places)
        answers = await asyncio.gather(*[one(node, some) for node, some in by_node.items()])
        found = {}
        for topic, number, error, _, offset in _flat(answer.topics for answer in answers):
            _raise(error, topic)
            found[TopicPartition(topic, number)] = offset
        return found

    async def fetched(
        self, parts: Mapping[TopicPartition, Part], isolation: int = UNCOMMITTED
    ) -> dict[TopicPartition, Fetched]:
        """What the partitions hold there; nothing of one whose log does not have the offset any more.

        Of a partition whose first batch is larger than what is asked for, brokers tell nothing unless it is
        the first of a request: it is then asked for by itself, and what is too much is thrown away.
        """
        together = [
            (node, chunk)
            for node, places in self._by_leader(parts).items()
            for chunk in _chunks(places, parts)
        ]
        found: dict[TopicPartition, Fetched] = {}
        for some in await asyncio.gather(*[self._fetch(*one, parts, isolation) for one in together]):
            found |= some
        single = iter([place for place, fetched in found.items() if not fetched.content])

        async def one_by_one() -> None:
            for place in single:
                found.update(await self._fetch(self._leaders[place], [place], parts, isolation))

        await asyncio.gather(*[one_by_one() for _ in range(AT_A_TIME)])
        return found

    async def _fetch(
        self, node: int, places: list[TopicPartition], parts: Mapping[TopicPartition, Part], isolation: int
    ) -> dict[TopicPartition, Fetched]:
        asked = [
            (topic, [(number, *parts[TopicPartition(topic, number)]) for number in numbers])
            for topic, numbers in _by_topic(places).items()
        ]
        most = sum(parts[place].bytes for place in places)
        answer = await self.ask(FetchRequest(0, 0, most, isolation, asked), node)
        found = {}
        for topic, number, error, *told, content in _flat([answer.topics]):
            if for_code(error) is not OffsetOutOfRangeError:
                _raise(error, topic)
            aborted = next((one for one in told if isinstance(one, list)), [])
            place = TopicPartition(topic, number)
            found[place] = Fetched(bytes((content or b"")[: parts[place].bytes]), frozenset(aborted))
        return found

    def _by_leader(self, places: Iterable[TopicPartition]) -> dict[int, list[TopicPartition]]:
        found: dict[int, list[TopicPartition]] = defaultdict(list)
        for place in sorted(places):
            node = self._leaders.get(place, -1)
            if node < 0:
                raise LeaderNotAvailableError(f"partition {place.partition} of {place.topic} has no leader")
            found[node].append(place)
        return found


def _by_topic(places: Iterable[TopicPartition]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for place in places:
        found[place.topic].append(place.partition)
    return found


def _chunks(
    places: Iterable[TopicPartition], parts: Mapping[TopicPartition, Part]
) -> Iterator[list[TopicPartition]]:
    """The partitions in parts of which each fits an answer."""
    chunk: list[TopicPartition] = []
    size = 0
    for place in places:
        if chunk and size + parts[place].bytes > ANSWER_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(place)
        size += parts[place].bytes
    if chunk:
        yield chunk


def _flat(answers: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Topic and what is told of a partition, of every partition in answers by topic."""
    for topics in answers:
        for topic, partitions in topics:
            for told in partitions:
                yield (topic, *told)


def _raise(code: int, topic: str) -> None:
    error = for_code(code)
    if error is not NoError:
        raise error(topic)


@asynccontextmanager
async def asking(settings: Settings) -> AsyncIterator[Asking]:
    """A client that is connected. Raises KafkaConnectionError if no broker answers."""
    client = AIOKafkaClient(**connection(settings))
    try:
        await client.bootstrap()
        yield Asking(client)
    finally:
        await client.close()
