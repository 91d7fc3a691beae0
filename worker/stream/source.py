"""The source: one membership in the consumer group, from joining to leaving.

Fetches everything there is into the lanes' buffers and never waits for a lane. Rebalance callbacks only mark
and wait: aiokafka swallows what they raise. A lane that raises ends the membership, and with it all lanes.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from worker.stream.connection import connection
from worker.stream.coordinator import heed_coordinators
from worker.stream.fetched import bound_what_is_unpacked
from worker.stream.intake import Intake
from worker.stream.lane import Lane
from worker.stream.leaving import leave
from worker.stream.startup import process_age
from worker.stream.topics import INPUT_BYTES
from worker.stream.verify import verify_counts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from aiokafka import TopicPartition

    from worker.settings import Settings
    from worker.stream.lane import Shared

POLL_MS = 200
SLICE = 20
"""Most records that are made of a fetch before a lane may say that it has enough. They are read out of one
producer's batch after the other: the bytes of the one that is being read are unpacked as a whole, within a
bound."""
TURN_S = 0.01
"""How long slice may follow on slice before everything else in the process has its turn, heartbeats and
commits among it; a slice that has begun is finished."""
SILENT_S = 15.0
"""A broker that has answered no fetch for so long is not heard any more; it answers many a second."""
TICK_S = 1.0
"""How often the loop looks up from waiting: in a rebalance ``getmany()`` ignores its timeout."""

log = structlog.get_logger()


class Source(ConsumerRebalanceListener):  # type: ignore[misc]
    """One membership: ``run`` joins, works and leaves. Not used again afterwards."""

    def __init__(self, shared: Shared, *, joined_before: bool) -> None:
        self.has_assignment = False
        self.lanes: dict[TopicPartition, Lane] = {}
        self._shared = shared
        self._joined_before = joined_before
        self._settings: Settings = shared.settings
        self._consumer = _consumer(shared.settings)
        self._stopping = asyncio.Event()
        self._tasks: dict[Lane, asyncio.Task[None]] = {}
        self._intakes: list[Intake] = []
        self._assignment = 0
        self._admission: asyncio.Task[None] | None = None
        self._group = asyncio.TaskGroup()

    async def run(self) -> None:
        """Join the group and work until ``stop``, or until something fails.

        Raises an ExceptionGroup of what ended it: Fenced, a Stop, or what Kafka raised.
        """
        self._consumer.subscribe([self._settings.input_topic], listener=self)
        try:
            async with self._group:
                if await self._unless_stopped(self._consumer.start()):
                    fetching = self._group.create_task(self._fetching())
                    await self._poll()
                    fetching.cancel()
                await self._drain(self._settings.stop_deadline_s)
        finally:
            await self._leave()

    def stop(self) -> None:
        """Take nothing in any more, finish what is in flight, leave the group."""
        self._stopping.set()

    # ---- the loop

    async def _poll(self) -> None:
        reported = 0.0
        while await self._unless_stopped(self._fetch()):
            if time.monotonic() - reported > TICK_S:
                reported = time.monotonic()
                await self._report()

    async def _fetch(self) -> None:
        """Give the lanes what there is; what is left of a partition that its lane holds is fetched again.

        Between draining the consumer and buffering nothing else may run: a lane that went back to its
        committed offset in between would get records from where it stood before. While there are records
        nothing here waits for anything: when the time of a turn is over, the rest is left for the next one.
        """
        fetched = await self._drained(POLL_MS)
        ends = time.monotonic() + TURN_S
        while fetched:
            for partition in fetched.keys() & self.lanes.keys():
                self.lanes[partition].offer(fetched[partition])
            if time.monotonic() >= ends:
                return
            fetched = await self._drained(0)

    async def _drained(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        """The next slice of what was fetched; waits for one at most so long."""
        try:
            fetched: dict[TopicPartition, list[Any]] = await self._consumer.getmany(
                timeout_ms=timeout_ms, max_records=SLICE
            )
        except OffsetOutOfRangeError as error:
            for partition in error.args[0].keys() & self.lanes.keys():
                self.lanes[partition].doubt(error)
            return {}
        except Exception as error:
            # Records of other partitions that were drained before it was raised are lost, their position is
            # behind them: no lane may commit where it seems to stand.
            for lane in self.lanes.values():
                lane.doubt(error)
            raise
        return fetched

    async def _fetching(self) -> None:
        """Raise when aiokafka's fetch task ends: ``getmany()`` would go on and bring nothing, for ever."""
        task = self._consumer._fetcher.error_future  # noqa: SLF001  nothing public tells
        await asyncio.wait([task])
        error = None if task.cancelled() else task.exception()
        raise error or KafkaError("the consumer's fetch task ended")

    async def _unless_stopped(self, work: Awaitable[None]) -> bool:
        """Whether ``work`` ended before the source was stopped; raises what it raises."""
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            while not task.done() and not stopped.done():
                await asyncio.wait([task, stopped], timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED)
                self._shared.pulse.beat()
            if stopped.done():
                return False
            task.result()
            return True
        finally:
            stopped.cancel()
            task.cancel()

    async def _report(self) -> None:
        """Say how many lanes work, and how far each partition is behind."""
        metrics = self._shared.metrics
        now_ms = metrics.now_ms()
        lanes = list(self.lanes.items())
        silent = {partition for partition, lane in lanes if _is_cut_off(lane, now_ms)}
        metrics.working(sum(lane.is_open for partition, lane in lanes if partition not in silent))
        for partition, lane in lanes:
            if partition in silent:
                metrics.unknown(partition.partition)
                continue
            stable, unstable = lane.intake.stable_end(), lane.intake.unstable_records()
            if stable is not None and unstable is not None:
                metrics.log(partition.partition, stable, unstable)
            records = await _lag(lane)
            if self.lanes.get(partition) is not lane:
                continue  # its assignment has passed meanwhile, and its series are gone
            if records is not None:
                metrics.lag(partition.partition, records)
            # What is there and was not fetched yet keeps the age that was told of what came before it.
            # Nothing is there if a commit was carried out whose answer was lost: the lane does not know then.
            since = None if records == 0 else lane.behind_since
            if since is not None or records == 0:
                metrics.behind(partition.partition, since)

    # ---- rebalances

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let the batches in flight end, then let go of every lane."""
        self._assignment += 1
        if not self.has_assignment:
            self._tell_joining()
        self.has_assignment = False
        await self._drain(self._settings.revoke_deadline_s)
        for partition in revoked:
            self._shared.metrics.unassigned(partition.partition)
        self._shared.metrics.assigned(0)
        self._shared.metrics.working(0)

    def _tell_joining(self) -> None:
        group = self._settings.app_id
        if self._joined_before:
            log.info("rejoining group", group=group)
        else:
            log.info("joining group", group=group, seconds_since_process_start=process_age())
        self._joined_before = True

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Hold the partitions still and mark them; the rest happens in a task whose exceptions count."""
        if self._stopping.is_set():
            return
        self._assignment += 1
        assigned = sorted(assigned)
        self._intakes = [
            Intake(self._consumer, partition, self._settings.results_topic) for partition in assigned
        ]
        for intake in self._intakes:
            intake.hold()
            # Any position will do until the lane seeks: with none aiokafka looks for one of its own.
            intake.seek(0)
        self._admission = self._group.create_task(self._admit(self._assignment, self._intakes))

    async def _admit(self, assignment: int, intakes: list[Intake]) -> None:
        """Check the partition counts, then give every partition its lane."""
        await verify_counts(self._settings)
        if assignment != self._assignment or self._stopping.is_set():
            return
        for intake in intakes:
            lane = Lane(intake.partition, intake, self._shared)
            self.lanes[intake.partition] = lane
            task = self._group.create_task(lane.run())
            task.add_done_callback(self._lane_ended)
            self._tasks[lane] = task
        if not intakes:  # otherwise it is at work when a lane is
            self._shared.patience.at_work()
        self.has_assignment = True
        self._shared.metrics.rebalanced()
        self._shared.metrics.assigned(len(intakes))
        log.info("partitions assigned", partitions=[intake.partition.partition for intake in intakes])

    def _lane_ended(self, task: asyncio.Task[None]) -> None:
        """With one lane that failed the whole membership ends: no assignment is taken up any more."""
        if not task.cancelled() and task.exception() is not None:
            self._stopping.set()

    async def _drain(self, deadline: float) -> None:
        """Retire all lanes; those that have not ended within ``deadline`` seconds are cut off."""
        if self._admission is not None:
            self._admission.cancel()
        tasks, self._tasks = self._tasks, {}
        for lane, task in tasks.items():
            lane.retire()
            if not lane.is_open:
                task.cancel()  # nothing is in flight
        for intake in self._intakes:
            intake.revoke()
        self.lanes = {}
        if tasks:
            _, late = await asyncio.wait(tasks.values(), timeout=deadline)
            for task in late:
                task.cancel()
            if late:
                log.warning("lanes cut off", lanes=len(late), after_seconds=deadline)

    async def _leave(self) -> None:
        """Take no assignment up any more, and leave the group."""
        self._stopping.set()
        for intake in self._intakes:  # the next membership may be without them, and is told of no revocation
            self._shared.metrics.unassigned(intake.partition.partition)
        self._shared.metrics.assigned(0)
        self._shared.metrics.working(0)
        await leave(self._consumer, self._settings.app_id)


def _is_cut_off(lane: Lane, now_ms: float) -> bool:
    """Whether an idle lane has not heard from its broker: it would look healthy, and there may be anything.

    One with records that are not committed is not asked: the broker's silence makes it begin again.
    """
    if not lane.is_idle:
        return False
    heard = max(lane.intake.heard_ms() or 0, lane.opened_ms)
    return now_ms - heard > SILENT_S * 1000


async def _lag(lane: Lane) -> int | None:
    """Stable records of a lane's partition that are not committed yet; None where that cannot be told."""
    end = lane.intake.stable_end()
    if end is None or not lane.opened_ms:
        return None
    # Transaction markers at the end of the log are offsets, but no records.
    stands = await lane.intake.position() if lane.is_idle else lane.next_offset
    return None if stands is None else max(0, end - stands)


def _consumer(settings: Settings) -> AIOKafkaConsumer:
    heed_coordinators()
    bound_what_is_unpacked(settings.input_topic)
    return AIOKafkaConsumer(
        **connection(settings),
        group_id=settings.app_id,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
        partition_assignment_strategy=(StickyPartitionAssignor,),
        session_timeout_ms=round(settings.session_timeout_s * 1000),
        heartbeat_interval_ms=round(settings.heartbeat_interval_s * 1000),
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        max_partition_fetch_bytes=INPUT_BYTES,
    )
