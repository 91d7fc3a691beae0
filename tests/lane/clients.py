"""Kafka's clients as the worker knows them, over the wire in memory.

The producer is aiokafka's own, with its sender, its transaction manager and its accumulator: only the
connection to the brokers is another one. The consumer is made up, with what the worker uses of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    TxnOffsetCommitRequest,
)

from tests.lane.broker import OFFSETS, Broker, Code, Fetched, Record
from tests.lane.wire import Refusal
from tests.lane.world import current
from worker.stream.flexible import TEXT
from worker.stream.transactions import messages, second
from worker.stream.transactions.features import FINALIZED, ApiVersions, ApiVersionsResponseV3

RETRY_S = 0.1
NODE = 0


class Connection:
    """aiokafka's client: what its producer asks of it, and the requests that a transaction is made of.

    Every topic has a leader of its own, so that each is its own produce request.
    """

    def __init__(self, *, client_id: str, **_: Any) -> None:
        world = current()
        self.cluster = Cluster(world.topics)
        self._client_id = client_id
        self._broker: Broker = world.broker
        self._wire = world.wire
        self._protocol = world.protocol

    async def bootstrap(self) -> None:
        await self._retried("Metadata", lambda: None)

    async def close(self) -> None:
        """Nothing is held."""

    async def ready(self, node_id: int, *, group: object) -> bool:  # noqa: ARG002  as aiokafka calls it
        return True

    async def coordinator_lookup(self, kind: object, key: str) -> int:  # noqa: ARG002  as aiokafka calls it
        return NODE

    async def _wait_on_metadata(self, topic: str) -> set[int]:
        return self.cluster.partitions_for_topic(topic)

    async def _maybe_wait_metadata(self) -> None:
        """It is never under way."""

    def force_metadata_update(self) -> asyncio.Future[bool]:
        known: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        known.set_result(True)
        return known

    async def send(self, node_id: int, request: Any, *, group: object = None) -> Any:  # noqa: ARG002  as aiokafka calls it
        """What the broker answers, in the words of the protocol."""
        name = type(request).__name__.removesuffix("Request")
        answer = ANSWERS[type(request)]
        try:
            return await self._wire.ask(name, lambda: answer(self, request))
        except Refusal as refusal:
            return _refused(request, refusal.code)

    async def _retried(self, name: str, apply: Callable[[], Any]) -> Any:
        while True:
            try:
                return await self._wire.ask(name, apply)
            except (KafkaConnectionError, RequestTimedOutError, Refusal):
                await asyncio.sleep(RETRY_S)

    # ---- each at the broker's moment

    def _init(self, request: Any) -> Any:
        code, producer, epoch = self._broker.init(request._transactional_id)
        return SimpleNamespace(error_code=code, producer_id=producer, producer_epoch=epoch)

    def _add_partitions(self, request: Any) -> Any:
        code = self._added(_producer(request), _places(request))
        return _by_partition(request, code)

    def _add_group(self, request: Any) -> Any:
        return SimpleNamespace(error_code=self._added(_producer(request), [OFFSETS]))

    def _added(self, producer: tuple[str, int, int], places: Iterable[TopicPartition]) -> Code:
        code = self._broker.add(*producer, places)
        if not code:
            name = producer[0]
            self._wire.transaction_begins(name, self._broker.transactions[name].number)
        return code

    def _commit_offsets(self, request: Any) -> Any:
        offsets = {
            TopicPartition(topic, partition): offset
            for topic, partitions in request._topics
            for partition, offset, _ in partitions
        }
        code = self._broker.commit_offsets(*_producer(request), offsets)
        return _by_partition(request, code)

    def _end(self, request: Any) -> Any:
        code = self._broker.end(*_producer(request), commit=bool(request._transaction_result))
        return SimpleNamespace(error_code=code)

    def _produce(self, request: Any) -> Any:
        topics = []
        for topic, partitions in request._topics:
            answers = []
            for partition, data in partitions:
                place = TopicPartition(topic, partition)
                code, offset = self._broker.produce(request._transactional_id, place, bytes(data))
                answers.append((partition, code, offset, -1))
            topics.append((topic, answers))
        return SimpleNamespace(API_VERSION=4, topics=topics)

    # ---- the second protocol

    def _features(self, _: ApiVersions) -> Any:
        level = self._protocol.to_bytes(2)
        told = b"\x02" + TEXT.encode(second.TRANSACTION_VERSION) + level + level + b"\x00"
        return ApiVersionsResponseV3(Code.NONE, [], 0, {FINALIZED: told})

    def _produce_second(self, request: Any) -> Any:
        name = request._transactional_id
        topics = []
        for topic, partitions in request._topics.items():
            answers = []
            for partition, data in partitions:
                place = TopicPartition(topic, partition)
                begin = partial(self._begin, name, place)
                code, offset = self._broker.produce(name, place, bytes(data), begin)
                answers.append((partition, code, offset, -1, 0, [], None, {}))
            topics.append((topic, answers, {}))
        return messages.ProduceResponseV12(topics, 0, {})

    def _begin(self, name: str, place: TopicPartition, producer: int, epoch: int) -> Code:
        return self._added((name, producer, epoch), [place])

    def _commit_offsets_second(self, request: Any) -> Any:
        producer = (request._ids[0], *request._producer)
        offsets = {
            TopicPartition(topic, partition): offset
            for topic, partitions in request._topics.items()
            for partition, offset, _ in partitions
        }
        code = self._added(producer, [OFFSETS]) or self._broker.commit_offsets(*producer, offsets)
        return _offsets_answered(request, code)

    def _end_second(self, request: Any) -> Any:
        name, producer, epoch, commit = request._fields
        code, following = self._broker.end_second(name, producer, epoch, commit=commit)
        return messages.EndTxnResponseV5(0, code, producer, following, {})


ANSWERS: dict[type, Callable[[Connection, Any], Any]] = {
    InitProducerIdRequest: Connection._init,
    AddPartitionsToTxnRequest: Connection._add_partitions,
    AddOffsetsToTxnRequest: Connection._add_group,
    TxnOffsetCommitRequest: Connection._commit_offsets,
    EndTxnRequest: Connection._end,
    ProduceRequest: Connection._produce,
    ApiVersions: Connection._features,
    messages.Produce: Connection._produce_second,
    messages.TxnOffsetCommit: Connection._commit_offsets_second,
    messages.EndTxn: Connection._end_second,
}


def _producer(request: Any) -> tuple[str, int, int]:
    return request._transactional_id, request._producer_id, request._producer_epoch


def _places(request: Any) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic, numbers in request._topics for number in numbers]


def _by_partition(request: Any, code: Code) -> Any:
    errors = [
        (topic, [(one if isinstance(one, int) else one[0], code) for one in partitions])
        for topic, partitions in request._topics
    ]
    return SimpleNamespace(errors=errors)


def _offsets_answered(request: Any, code: Code) -> Any:
    errors = [
        (topic, [(one[0], code, {}) for one in partitions], {})
        for topic, partitions in request._topics.items()
    ]
    return messages.TxnOffsetCommitResponseV5(0, errors, {})


def _refused(request: Any, code: Code) -> Any:
    if isinstance(request, messages.Produce):
        answers = [
            (topic, [(partition, code, -1, -1, 0, [], None, {}) for partition, _ in partitions], {})
            for topic, partitions in request._topics.items()
        ]
        return messages.ProduceResponseV12(answers, 0, {})
    if isinstance(request, messages.TxnOffsetCommit):
        return _offsets_answered(request, code)
    if isinstance(request, messages.EndTxn):
        return messages.EndTxnResponseV5(0, code, -1, -1, {})
    if isinstance(request, ProduceRequest):
        topics = [
            (topic, [(partition, code, -1, -1) for partition, _ in partitions])
            for topic, partitions in request._topics
        ]
        return SimpleNamespace(API_VERSION=4, topics=topics)
    if isinstance(request, (AddPartitionsToTxnRequest, TxnOffsetCommitRequest)):
        return _by_partition(request, code)
    return SimpleNamespace(error_code=code, producer_id=-1, producer_epoch=-1)


class Cluster:
    """Metadata: every topic has one partition."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._leaders = {topic: node for node, topic in enumerate(topics, 1)}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0} if topic in self._leaders else set()

    def leader_for_partition(self, place: TopicPartition) -> int:
        return self._leaders[place.topic]


class Producer(second.Producer):
    """The worker's producer. A killed process closes nothing, and is not blamed for it."""

    def __del__(self) -> None:
        pass


class Consumer:
    """aiokafka's consumer, read_committed: of a group, or with partitions that it has assigned itself."""

    def __init__(self, *, group_id: str | None = None, **_: Any) -> None:
        world = current()
        self._broker: Broker = world.broker
        self._wire = world.wire
        self._group = world.group if group_id else None
        self._fetch_most = world.fetch_most
        self._positions: dict[TopicPartition, int | None] = {}
        self._paused: set[TopicPartition] = set()
        self._ends: dict[TopicPartition, Fetched] = {}
        self._stirred = asyncio.Event()
        self._listener: Any = None
        # What the source looks at, and what leaving by force puts an end to.
        failing = asyncio.get_running_loop().create_future()
        self._fetcher = SimpleNamespace(error_future=failing, close=_closed)
        self._coordinator = None
        self._client = SimpleNamespace(close=_closed)
        world.consumers.append(self)

    # ---- membership

    def subscribe(self, topics: Collection[str], listener: Any) -> None:  # noqa: ARG002  as aiokafka calls it
        self._listener = listener

    async def start(self) -> None:
        await self._ask("JoinGroup" if self._group else "Metadata", lambda: None)
        if self._group is not None:
            self._group.join(self)

    async def stop(self) -> None:
        if self._group is not None:
            self._group.leave(self)
            await self._ask("LeaveGroup", lambda: None)

    async def rebalance(self, assigned: frozenset[TopicPartition]) -> None:
        """The group has another assignment for this member."""
        await self._listener.on_partitions_revoked(frozenset(self._positions))
        self.assign(assigned)
        self._listener.on_partitions_assigned(assigned)

    def assign(self, places: Iterable[TopicPartition]) -> None:
        self._positions = dict.fromkeys(places)
        self._paused.clear()
        self._ends.clear()
        self._stirred.set()

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._positions)

    # ---- where it stands

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._positions[place] = offset
        self._stirred.set()

    def pause(self, place: TopicPartition) -> None:
        self._paused.add(place)

    def resume(self, place: TopicPartition) -> None:
        self._paused.discard(place)
        self._stirred.set()

    async def position(self, place: TopicPartition) -> int:
        position = self._positions[place]
        assert position is not None, "the worker seeks before it asks"
        return position

    # ---- what it asks

    async def committed(self, place: TopicPartition) -> int | None:
        return await self._ask("OffsetFetch", lambda: self._broker.offsets.get(place))

    async def beginning_offsets(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return await self._ask("ListOffsets", lambda: dict.fromkeys(places, 0))

    async def end_offsets(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return await self._ask(
            "ListOffsets", lambda: {place: self._broker.log(place).stable_end for place in places}
        )

    def highwater(self, place: TopicPartition) -> int | None:
        return self._ends[place].end if place in self._ends else None

    def last_stable_offset(self, place: TopicPartition) -> int | None:
        return self._ends[place].stable_end if place in self._ends else None

    def last_poll_timestamp(self, _: TopicPartition) -> int | None:
        return None

    async def getmany(
        self,
        *places: TopicPartition,
        timeout_ms: int,
        max_records: int | None = None,  # noqa: ARG002  a fetch brings fewer here
    ) -> dict[TopicPartition, list[Record]]:
        """Records of one partition that has some, or nothing within the time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_ms / 1000
        while True:
            self._stirred.clear()
            for place in places or tuple(self._positions):
                if records := await self._fetched(place):
                    return {place: records}
            if loop.time() >= until:
                return {}
            try:
                async with asyncio.timeout_at(until):
                    await self._stirred.wait()
            except TimeoutError:
                return {}

    async def _fetched(self, place: TopicPartition) -> list[Record]:
        """What one fetch brings; what comes when the consumer stands elsewhere is forgotten."""
        begin = self._positions.get(place)
        if begin is None or place in self._paused:
            return []
        found: Fetched = await self._ask(
            "Fetch", lambda: self._broker.log(place).committed(begin, self._fetch_most)
        )
        if self._positions.get(place) != begin or place in self._paused:
            return []
        self._positions[place] = found.position
        self._ends[place] = found
        if found.records:
            self._stirred.set()
        return found.records

    def told(self, place: TopicPartition) -> None:
        """There may be more to fetch of a partition."""
        if place in self._positions:
            self._stirred.set()

    async def _ask(self, name: str, apply: Callable[[], Any]) -> Any:
        while True:
            try:
                return await self._wire.ask(name, apply)
            except (KafkaConnectionError, RequestTimedOutError, Refusal):
                await asyncio.sleep(RETRY_S)


async def _closed() -> None:
    """Nothing is held."""
