"""A lane: one input partition, its transactional producer and its order of work.

Its life, in this order: start the producer, which fences a zombie and settles its open transaction · restore
the partition's member histories · *then* read the committed offset and go there · let the partition flow ·
batch by batch decide and commit. After any error or doubt the producer and all that is in memory are thrown
away, and the life begins again. A lane whose assignment has passed never begins again.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import structlog

from worker.adjudication.redacted import redacted
from worker.stream.agent import Batch
from worker.stream.buffer import Buffer
from worker.stream.errors import Bug, Fenced, GaveUp, Stop, not_allowed, told
from worker.stream.histories import Histories
from worker.stream.offsets import starting_offset
from worker.stream.pends import Pends
from worker.stream.restore import restore
from worker.stream.retry import Backoff
from worker.stream.sealing.lane import Sealing
from worker.stream.sealing.opening import sealer_of
from worker.stream.transactions.producer import TransactionalProducer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka import ConsumerRecord, TopicPartition

    from worker.settings import Settings
    from worker.stream.agent import Channel
    from worker.stream.breaker import Breaker
    from worker.stream.deciding import Decided
    from worker.stream.health import Pulse
    from worker.stream.histories import Aside
    from worker.stream.intake import Intake
    from worker.stream.metrics import Metrics
    from worker.stream.outgoing import Outgoing
    from worker.stream.tracing import Tracing

SETTLE_S = 60.0
"""How long a lane waits for records before it commits where it stands behind markers; see ``_settle``."""

log = structlog.get_logger()


class Shared(NamedTuple):
    """What all lanes of a worker have in common."""

    settings: Settings
    batches: Channel
    metrics: Metrics
    breaker: Breaker
    pulse: Pulse
    patience: Backoff
    """Of the memberships; a commit renews it."""
    aside: Aside
    """Memory of lanes that have ended."""
    tracing: Tracing


@redacted
class _Ahead(NamedTuple):
    """A batch that was decided and is not committed yet."""

    decided: Decided
    records: Sequence[ConsumerRecord]
    """The input records that it decided."""
    began_ns: int
    """Unix time at which they were taken out of the buffer, in nanoseconds."""


class Lane:
    """Works one partition while it is assigned. ``run`` is its task, the rest is called beside it."""

    def __init__(self, partition: TopicPartition, intake: Intake, shared: Shared) -> None:
        self.partition = partition
        self.is_open = False
        """Whether it takes records: its producer has started and it stands at its offset."""
        self.opened_ms = 0
        """Unix time, in milliseconds, at which it was opened last; 0 of one that never was."""
        self.next_offset = 0
        """The input offset up to which everything is committed, once it has been open."""
        self.intake = intake
        self._shared = shared
        self._settings = shared.settings
        self._log = log.bind(partition=partition.partition)
        self._backoff = Backoff(shared.settings)
        self._buffer = Buffer(shared.settings)
        self._deciding = 0
        self._taken: deque[int] = deque()
        """Timestamps of the first records of the batches in flight."""
        self._left: int | None = None
        """That of the oldest record that another life of this lane has left uncommitted."""
        self._arrived = asyncio.Event()
        self._passed = asyncio.Event()
        self._fault: Exception | None = None
        self._in_transaction = False
        self._is_committing = False
        self._is_cut = False
        """Whether there was no time for all of the last batch: the next one will not have it for more."""
        self._sealing = Sealing(None, shared.settings, partition.partition)

    # ---- called by the source

    def offer(self, records: Sequence[ConsumerRecord]) -> None:
        """Buffer fetched records; a lane that is not open yet will fetch them again."""
        if not self.is_open or self._has_passed():
            return
        self._buffer.add(records)
        self._arrived.set()
        if self._buffer.is_above_high_water:
            self.intake.hold()

    def retire(self) -> None:
        """The assignment passes: finish the batches in flight, begin no other."""
        self.intake.hold()  # from here on what is fetched is discarded, and the position stays where it is
        self._passed.set()
        self._arrived.set()

    def _has_passed(self) -> bool:
        return self._passed.is_set()

    def doubt(self, error: Exception) -> None:
        """The source cannot go on with this partition: begin again, from the committed offset."""
        self._fault = error
        self._arrived.set()

    @property
    def is_idle(self) -> bool:
        """Whether everything that was fetched is committed."""
        return self.is_open and not self._buffer and not self._deciding

    @property
    def behind_since(self) -> int | None:
        """Kafka timestamp, in milliseconds, of the oldest record not committed yet; None if none is here."""
        if self._left is not None:
            return self._left
        if self._taken:
            return self._taken[0]
        return self._buffer.oldest_ms

    # ---- its own task

    async def run(self) -> None:
        """Live until the assignment has passed.

        Raises Fenced, or a Stop: Bug, Refused where the broker does not allow something, GaveUp after failing
        for too long without a commit.
        """
        while not self._has_passed():
            try:
                await self._live()
            except Stop:
                raise
            except Fenced:
                if self._has_passed():
                    return
                self._shared.metrics.lane_restarted("fenced", in_transaction=True)
                raise
            except Exception as doubt:  # the lane's edge: whatever it is, nobody knows what was written
                if (refused := not_allowed(doubt)) is not None:
                    raise refused from doubt
                await self._begin_again(doubt)

    async def _begin_again(self, doubt: Exception) -> None:
        timed_out = isinstance(doubt, TimeoutError)
        self._shared.metrics.lane_restarted(
            "timeout" if timed_out else "error", in_transaction=self._in_transaction
        )
        self._in_transaction = False
        pause = self._backoff.failed()
        if pause is None:
            raise GaveUp(
                f"partition {self.partition.partition} has failed for {self._settings.patience_s:g} s, "
                f"the last time with {told(doubt)}"
            ) from doubt
        self._log.warning("lane begins again", error=told(doubt), in_seconds=round(pause, 2))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._passed.wait(), pause)

    async def _live(self) -> None:
        """From a new producer to the end of the assignment; whatever it raises, its memory goes with it."""
        self._fault = None
        self._is_cut = False
        self._sealing = Sealing(sealer_of(self._settings), self._settings, self.partition.partition)
        producer = TransactionalProducer(self.partition, self._settings)
        try:
            await producer.start()
            histories = await self._histories(producer)
            self.next_offset = await starting_offset(self.intake, producer, self._settings)
            if self._has_passed():
                return
            self._open(histories, producer.protocol)
            await self._work(producer, histories)
            # Memory runs ahead of what is committed. Only here, with no batch between, it does not. What is
            # still to be sealed anew it does not tell: only restoring does.
            if not self._sealing.stale:
                self._shared.aside.lay(self.partition, histories, self.next_offset, producer.life)
        finally:
            self._left = self.behind_since
            self._taken.clear()
            self.is_open = False
            self.intake.hold()
            self._buffer.clear()
            await producer.close()

    async def _histories(self, producer: TransactionalProducer) -> Histories:
        """The partition's memory as of the committed offset, which the producer has settled.

        It is the one that this worker laid aside, if nothing was committed since, or else restored. The
        offset does not tell of histories that were sealed anew. So where they are sealed, nobody else may
        have had the partition since: it may have been one with another key.
        """
        laid = self._shared.aside.find(self.partition)
        if laid is not None:
            is_still_sealed = self._sealing.key_id is None or producer.follows(laid.life)
            async with asyncio.timeout(self._settings.producer_start_deadline_s):
                if is_still_sealed and await self.intake.committed() == laid.next_offset:
                    self._log.info("histories kept", members=laid.histories.size.members)
                    return laid.histories
            self._shared.aside.free(self.partition)
        began = time.perf_counter()
        restored = await restore(self.partition.partition, self._settings)
        histories = Histories(restored.histories, await Pends.of(restored.histories))
        seconds = time.perf_counter() - began
        self._shared.metrics.restored(seconds)
        self._log.info(
            "histories restored",
            members=histories.size.members,
            records=restored.records,
            seconds=round(seconds, 2),
            **self._sealing.restored(restored),
        )
        return histories

    def _open(self, histories: Histories, protocol: int) -> None:
        self._shared.aside.free(self.partition)  # from here on it changes
        self._shared.metrics.histories(self.partition.partition, histories.size)
        self.intake.seek(self.next_offset)
        self.intake.flow()
        self.is_open = True
        self.opened_ms = self._shared.metrics.now_ms()
        self._backoff.at_work()
        self._shared.patience.at_work()
        self._log.info("lane open", offset=self.next_offset, protocol=protocol)

    async def _work(self, producer: TransactionalProducer, histories: Histories) -> None:
        """Decide and commit batch by batch; a full one is decided while another is being committed."""
        ahead = asyncio.ensure_future(self._decide_next(histories))
        try:
            while (batch := await self._awaited(ahead, producer)) is not None:
                ahead = asyncio.ensure_future(self._decide_next(histories))
                await self._traced(producer, batch)
            await self._settle(producer)
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
            self._deciding = 0

    async def _awaited(
        self, ahead: asyncio.Task[_Ahead | None], producer: TransactionalProducer
    ) -> _Ahead | None:
        """What ``ahead`` gives; while there is nothing to decide the lane settles from time to time.

        Before that, histories are sealed anew that are to be: some a batch, all while there is time.
        """
        while await self._reseal(producer) and not ahead.done():
            pass
        while not ahead.done():
            await asyncio.wait([ahead], timeout=SETTLE_S)
            if not ahead.done():
                await self._settle(producer)
        return ahead.result()

    async def _settle(self, producer: TransactionalProducer) -> None:
        """Commit where an idle lane stands, if that is behind the last record it decided.

        In between are markers and aborted records only. Left uncommitted, they would look like records that
        were lost once retention has taken them.
        """
        position = await self.intake.position()
        # Nothing may run between: up to its position everything is in the buffer, and that is empty.
        if position is None or not self.is_idle or self._fault is not None or position <= self.next_offset:
            return
        await self._transact(producer, {}, position)

    async def _reseal(self, producer: TransactionalProducer) -> bool:
        """Write some of the histories anew that another key has sealed, or none; whether there were any."""
        sealing = self._sealing
        if not sealing.stale or self._has_passed() or self._fault is not None:
            return False
        anew = sealing.stale.next(self._shared.metrics.now_ms(), self.next_offset)
        await self._transact(
            producer, {self._settings.changelog_topic: sealing.histories(anew)}, self.next_offset
        )
        self._sealed(anew)
        return True

    def _sealed(self, committed: Sequence[Outgoing]) -> None:
        """Histories are committed as the current key has sealed them: these need not be sealed anew."""
        stale = self._sealing.stale
        if stale:
            stale.written(committed)
            if not stale:
                self._log.info("histories sealed anew", members=stale.members, key_id=self._sealing.key_id)

    async def _transact(
        self, producer: TransactionalProducer, outputs: Mapping[str, Sequence[Outgoing]], next_offset: int
    ) -> float:
        """Commit; returns the seconds that sending took of it."""
        self._in_transaction = True
        sending = await producer.commit(outputs, next_offset)
        self._in_transaction = False
        if next_offset > self.next_offset:
            self._left = None
        self.next_offset = next_offset
        self._backoff.succeeded()
        self._shared.patience.succeeded()
        return sending

    def _is_due(self) -> bool:
        """Whether there is a batch to decide.

        While another one is being committed it is decided ahead only if it cannot grow any more. It could not
        be committed sooner, and what arrives meanwhile would have to wait for the one after it.
        """
        if self._is_committing and not self._is_cut:
            return self._buffer.is_full_batch or self._buffer.is_above_high_water
        return bool(self._buffer)

    async def _decide_next(self, histories: Histories) -> _Ahead | None:
        """The next batch, decided. None when retired."""
        while not self._has_passed() and self._fault is None and not self._is_due():
            self._arrived.clear()
            await self._arrived.wait()
        if self._has_passed():
            return None
        if self._fault is not None:
            raise self._fault
        began_ns = time.time_ns()
        batch = Batch(self._buffer.take(), histories, asyncio.get_running_loop().create_future())
        if self._buffer.is_below_low_water:
            self.intake.flow()
        self._deciding += len(batch.records)
        self._taken.append(batch.records[0].timestamp)
        await self._shared.batches.put(batch)
        try:
            decided = await batch.decided
        except Exception as bug:
            self._shared.tracing.batch(batch.records, began_ns, bug)
            raise Bug(
                f"partition {self.partition.partition}: the records from offset {batch.records[0].offset} on "
                f"cannot be decided, {told(bug)}; nothing of them is committed"
            ) from bug
        rest = batch.records[decided.records :]  # for which there was no time
        self._buffer.put_back(rest)
        self._is_cut = bool(rest)
        self._deciding -= len(rest)
        return _Ahead(decided, batch.records[: decided.records], began_ns)

    async def _traced(self, producer: TransactionalProducer, batch: _Ahead) -> None:
        """Commit a batch, and let its trace tell how that ended."""
        tracing = self._shared.tracing
        self._is_committing = True
        try:
            await self._commit(producer, batch.decided)
        except BaseException as error:
            tracing.batch(batch.records, batch.began_ns, error)
            raise
        finally:
            self._is_committing = False
            self._arrived.set()
        tracing.batch(batch.records, batch.began_ns)

    async def _commit(self, producer: TransactionalProducer, decided: Decided) -> None:
        bugs = ((self.partition.partition, offset) for offset in decided.bugs)
        dead = len(decided.dead_letters)
        self._shared.breaker.check(decided.records, dead, bugs)
        # Histories first. Results without histories are taken for a lost changelog, and a transaction that
        # is interrupted leaves its marker in every partition that had come into it: none in one behind. The
        # producer comes into topics in their order.
        outputs = {
            self._settings.changelog_topic: self._sealing.histories(decided.changelog),
            self._settings.results_topic: decided.results,
            self._settings.dead_letter_topic: self._sealing.letters(decided.dead_letters),
        }
        began = time.perf_counter()
        sending = await self._transact(producer, outputs, decided.next_offset)
        self._sealed(decided.changelog)
        self._deciding -= decided.records
        self._taken.popleft()
        self._shared.breaker.committed(decided.records, dead)
        self._shared.metrics.batch(decided, sending, time.perf_counter() - began)
        self._shared.metrics.histories(self.partition.partition, decided.histories)
