"""Everything that there is in a run: the loop, the brokers, the wire, the group and its workers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from tests.lane.broker import OFFSETS, Broker
from tests.lane.loop import NETWORK, OWNER, Loop, Process
from tests.lane.wire import HOP_S, Fault, Pace, Wire
from tests.stream.oracle import reference
from worker.adjudication import Adjudicated, Limits, Rejected, adjudicate, encode
from worker.adjudication.claim import Event
from worker.settings import Settings
from worker.stream.deciding import Decider
from worker.stream.engine import Engine

SESSION_S = 10.0

RESULTS_FIRST = ("results_topic", "dead_letter_topic", "changelog_topic", OFFSETS.topic)
CHANGELOG_FIRST = ("changelog_topic", "results_topic", "dead_letter_topic", OFFSETS.topic)
OFFSETS_FIRST = (OFFSETS.topic, "changelog_topic", "results_topic", "dead_letter_topic")


class Manner(NamedTuple):
    """How the brokers serve."""

    fetch_most: int = 4
    """Records that one fetch brings."""
    marker_s: float = HOP_S
    """Until the coordinator has written the next marker of a transaction."""
    marker_order: Sequence[str] = RESULTS_FIRST
    """By the settings that name the topics of a transaction; Kafka promises none."""
    protocol: int = 2
    """Which transaction protocol the cluster has agreed to."""


AT_ONCE = Manner()


class World:
    """The state of a run; ``current`` finds it from within a worker."""

    def __init__(
        self, settings: Settings, broker: Broker, manner: Manner, faults: Mapping[int, Fault]
    ) -> None:
        self.loop = Loop()
        self.settings = settings
        self.broker = broker
        broker.marker_order = [
            OFFSETS if topic == OFFSETS.topic else TopicPartition(getattr(settings, topic), 0)
            for topic in manner.marker_order
        ]
        self.fetch_most = manner.fetch_most
        self.protocol = manner.protocol
        pace = Pace(settings.request_timeout_s, settings.transaction_timeout_s, manner.marker_s)
        self.wire = Wire(self.loop, broker, faults, pace)
        self.events: Counter[str] = Counter()
        """What the workers have logged."""
        self.input = TopicPartition(settings.input_topic, 0)
        self.topics = [
            settings.input_topic,
            settings.results_topic,
            settings.changelog_topic,
            settings.dead_letter_topic,
        ]
        self.group = Group(self)
        self.workers: list[Worker] = []
        self.failure: str | None = None
        """What has ended a worker that was not told to end."""
        self.consumers: list[Any] = []

    def hire(self) -> Worker:
        """Start a worker, which is no member of the group yet."""
        worker = Worker(f"worker {len(self.workers) + 1}", self)
        self.workers.append(worker)
        worker.start()
        return worker

    @property
    def living(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.is_alive]

    @property
    def is_answered(self) -> bool:
        """Whether the group has committed the end of the input."""
        return self.broker.offsets.get(self.input) == self.broker.log(self.input).end


def current() -> World:
    """The world of the worker that is running."""
    worker = OWNER.get()
    assert isinstance(worker, Worker)
    return worker.world


class Worker(Process):
    """A worker's process: the real engine, source and lane, and the agent's loop."""

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name)
        self.world = world
        self.is_ending = False
        self.is_done = False
        self._engine = _Engine(world)
        self._batches: asyncio.Queue[Any] = asyncio.Queue()

    def start(self) -> None:
        self._spawn(self._decide())
        self._spawn(self._run())

    def end(self) -> None:
        """What SIGTERM does."""
        self.is_ending = True
        self._spawn(self._engine.stop())

    def kill(self) -> None:
        self.is_alive = False
        self.held.clear()

    def _spawn(self, work: Any) -> None:
        self.world.loop.create_task(work, context=self.context)

    async def _run(self) -> None:
        try:
            await self._engine.run(self._batches)
        except Exception as failed:  # noqa: BLE001  the edge of the process: the driver judges it
            self.world.failure = f"{self.name} stopped with {failed!r}"
        self.is_done = True

    async def _decide(self) -> None:
        while True:
            (await self._batches.get()).submit(self._engine.decide)


class _Engine(Engine):
    """The engine with its reference data loaded, and its topics looked at already."""

    def __init__(self, world: World) -> None:
        super().__init__(world.settings, _nothing)
        self._world = world

    async def _start(self, _: object) -> None:
        settings = self._world.settings

        def decide(event: Any, history: bytes | None) -> Any:
            return adjudicated(event, history, settings.limits)

        self._decider = Decider(decide, encode, settings, self._world.loop.time)


@lru_cache(maxsize=1 << 14)
def adjudicated(event: Event, history: bytes | None, limits: Limits) -> Adjudicated | Rejected:
    """The pure function, whose answers to thousands of runs of one history are the same few."""
    return adjudicate(event, history, reference(), limits)


def _nothing(_: Settings) -> Any:
    raise AssertionError("nothing is loaded here")


class Group:
    """The consumer group, which gives its one partition to the worker that it is told."""

    def __init__(self, world: World) -> None:
        self.owner: Worker | None = None
        self._world = world
        self._members: dict[Any, Worker] = {}
        self._told: dict[Any, frozenset[TopicPartition]] = {}
        self._moving: set[Any] = set()
        self._waits_for: Worker | None = None

    def give(self, heir: Worker, *, told_after: float = 0.0) -> None:
        """The partition is the heir's from now on; its last owner is told after so many seconds."""
        self.owner, self._waits_for = heir, None
        for member, worker in self._members.items():
            self._later(0.0 if worker is heir else told_after, member)

    def hand_over(self, heir: Worker) -> None:
        """The owner is told first; the heir gets the partition when that one has let go, or is too slow."""
        self._waits_for, self.owner = self.owner, heir
        for member in self._members:
            self._later(0.0, member)
        self._world.loop.call_later(SESSION_S, self._let_go, context=NETWORK)

    def join(self, member: Any) -> None:
        worker = OWNER.get()
        assert isinstance(worker, Worker)
        self._members[member] = worker
        self._later(0.0, member)

    def leave(self, member: Any) -> None:
        worker = self._members.pop(member, None)
        if worker is self._waits_for:
            self._let_go()

    def _let_go(self) -> None:
        self._waits_for = None
        for member, worker in self._members.items():
            if worker is self.owner:
                self._later(0.0, member)

    def _later(self, seconds: float, member: Any) -> None:
        self._world.loop.call_later(seconds, self._tell, member, context=NETWORK)

    def _tell(self, member: Any) -> None:
        worker = self._members.get(member)
        if worker is not None and worker.is_alive and member not in self._moving:
            self._moving.add(member)
            self._world.loop.create_task(self._rebalance(member, worker), context=worker.context)

    async def _rebalance(self, member: Any, worker: Worker) -> None:
        """Until it has what it should; one that has just joined is told even that it has nothing."""
        while member in self._members:
            is_its = worker is self.owner and self._waits_for is None
            assigned = frozenset({self._world.input} if is_its else ())
            if self._told.get(member) == assigned:
                break
            self._told[member] = assigned
            await member.rebalance(assigned)
        self._moving.discard(member)
        if worker is self._waits_for:
            self._let_go()
