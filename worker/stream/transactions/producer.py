"""One transactional producer, with a deadline on everything it does and a sure way to be rid of it.

aiokafka's ``commit_transaction()`` succeeds although a produce inside it failed: only the delivery future
knows. So every one is awaited before the offset is sent. After any error or missed deadline nobody knows
what the broker has: the producer is discarded, never used again, and the next one with the same
transactional id settles what it left open.
"""

from __future__ import annotations

import asyncio
import time
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError, ProducerClosed, ProducerFenced

from worker.adjudication.redacted import redacted
from worker.stream.connection import connection
from worker.stream.errors import Fenced, Refused
from worker.stream.outgoing import BATCH_BYTES, packed
from worker.stream.tasks import ended_within, outlive
from worker.stream.transactions.second import Producer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from worker.settings import Settings
    from worker.stream.outgoing import Outgoing, Packed

COMPRESSION = "zstd"
"""Of what goes out. aiokafka's LZ4 packs as hard as it can: Zstandard takes a sixth of its time (for a result
and a history 2.8 us, not 17) and little more than half of its space."""


@redacted
class _Delivery(NamedTuple):
    """A batch that was sent, and the broker's answer."""

    answer: asyncio.Future[Any]
    topic: str
    records: Sequence[Outgoing]


class _InFlight(set[Any]):
    """aiokafka's batches in flight, from which one may be taken twice.

    A batch that is given up is taken out by its future, and once more by the sender if it was just about to
    try it again: the KeyError of whichever is the second would be awaited by nobody.
    """

    def remove(self, batch: Any) -> None:
        """Take a batch out, if it is still there."""
        self.discard(batch)


class TransactionalProducer:
    """A producer of one transactional id for the records that come of one partition, a lane's by default."""

    def __init__(
        self, source: TopicPartition, settings: Settings, transactional_id: str | None = None
    ) -> None:
        self._source = source
        self._group = settings.app_id
        self._settings = settings
        self._id = transactional_id or f"{self._group}-{source.topic}-{source.partition}"
        self._producer: Any = None
        self._come_into: set[str] = set()
        """Topics that have had a transaction of this producer."""

    async def start(self) -> None:
        """Fence whoever used this transactional id before, and settle the transaction that it left open."""
        self._producer = Producer(
            **connection(self._settings),
            transactional_id=self._id,
            transaction_timeout_ms=round(self._settings.transaction_timeout_s * 1000),
            compression_type=COMPRESSION,
            max_batch_size=BATCH_BYTES,
            linger_ms=0,
        )
        self._producer._message_accumulator._pending_batches = _InFlight()  # noqa: SLF001  see there
        async with asyncio.timeout(self._settings.producer_start_deadline_s):
            await self._producer.start()

    @property
    def protocol(self) -> int:
        """Which transaction protocol it speaks, once it has started: the second is KIP-890's."""
        return 2 if self._producer._txn_manager.is_second else 1  # noqa: SLF001  its own

    @property
    def life(self) -> tuple[int, int]:
        """Producer id and epoch, once it has started: which one it is of its transactional id."""
        manager = self._producer._txn_manager  # noqa: SLF001  nothing public tells
        return manager.producer_id, manager.producer_epoch

    def follows(self, life: tuple[int, int]) -> bool:
        """Whether none was started between that one and this: each start raises the epoch."""
        producer_id, epoch = life
        return self.life == (producer_id, epoch + 1)

    async def commit(self, outputs: Mapping[str, Sequence[Outgoing]], next_offset: int | None) -> float:
        """Write ``outputs`` (by topic) and the input offset, if there is one, in one transaction.

        Topics are come into in their order: until one has been written to, none behind it is.

        Returns the seconds until all of it was acknowledged; offset and end come after that. Raises Fenced if
        the transactional id has another producer, Refused if a record is larger than its topic takes; after
        any exception the state of the transaction is unknown and the producer must be discarded.
        """
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._settings.batch_deadline_s):
                await self._producer.begin_transaction()
                deliveries: list[_Delivery] = []
                for topic, records in outputs.items():
                    batches = packed(records, self._producer.create_batch)
                    deliveries += [await self._sent(topic, batch) for batch in batches]
                    if records and topic not in self._come_into:
                        await self._delivered(deliveries)
                        self._come_into.add(topic)
                await self._delivered(deliveries)
                delivered = time.perf_counter()
                if next_offset is not None:
                    await self._producer.send_offsets_to_transaction({self._source: next_offset}, self._group)
                await self._producer.commit_transaction()
        except Exception as error:
            reason = self._given_up() or error
            if isinstance(reason, ProducerFenced):
                raise Fenced(f"partition {self._source.partition} of {self._source.topic}") from error
            raise reason from (None if reason is error else error)
        return delivered - began

    def _given_up(self) -> BaseException | None:
        """Why aiokafka has given the transaction up, if it has: what it raises next does not tell."""
        ended = self._producer._txn_manager._transaction_waiter  # noqa: SLF001  nothing public tells
        return ended.exception() if ended is not None and ended.done() and not ended.cancelled() else None

    async def _sent(self, topic: str, pack: Packed) -> _Delivery:
        answer = await self._producer.send_batch(pack.batch, topic, partition=self._source.partition)
        answer.add_done_callback(_retrieved)
        return _Delivery(answer, topic, pack.records)

    async def _delivered(self, deliveries: Sequence[_Delivery]) -> None:
        try:
            await asyncio.gather(*(delivery.answer for delivery in deliveries))
        except MessageSizeTooLargeError as error:
            topic, largest = next(_too_large(deliveries))
            place = f"partition {self._source.partition} of {self._source.topic}"
            raise Refused(
                f"{place} offset {largest.cause}: topic {topic} does not take its record of {largest.size} "
                f"bytes; raise max.message.bytes of {topic}, and above 100 MiB the brokers' "
                "socket.request.max.bytes"
            ) from error

    async def close(self) -> None:
        """Stop it, cleanly if that takes no longer than its deadline allows, else by force.

        A caller that is cancelled meanwhile need not wait: the producer still ends.
        """
        producer, self._producer = self._producer, None
        if producer is not None:
            deadline = self._settings.producer_stop_deadline_s
            await asyncio.shield(outlive(_dispose(producer, deadline)))


def _too_large(deliveries: Iterable[_Delivery]) -> Iterator[tuple[str, Outgoing]]:
    """Topic and largest record of each batch that was refused for its size."""
    for answer, topic, records in deliveries:
        refused = answer.done() and not answer.cancelled() and answer.exception()
        if isinstance(refused, MessageSizeTooLargeError):
            yield topic, max(records, key=lambda record: record.size)


def _retrieved(ended: asyncio.Future[Any]) -> None:
    """Look at a future's exception, so that one nobody awaits any more is not reported as forgotten."""
    if not ended.cancelled():
        ended.exception()


async def _dispose(producer: Any, deadline: float) -> None:
    """End a producer, by force if it does not stop: with an undelivered batch ``stop()`` flushes for ever."""
    # A batch that fails before it was taken up fails this waiter too, which nobody awaits.
    for batch in chain.from_iterable(producer._message_accumulator._batches.values()):  # noqa: SLF001
        batch._drain_waiter.add_done_callback(_retrieved)  # noqa: SLF001
    if await ended_within(deadline, producer.stop()):
        return
    producer._message_accumulator.fail_all(ProducerClosed())  # noqa: SLF001  no public way to give up a batch
    sender = producer._sender.sender_task  # noqa: SLF001
    if sender is not None:
        # The first cancellation makes the sender wait for its requests, the second ends that wait.
        for _ in range(2):
            sender.cancel()
            await asyncio.wait([sender], timeout=deadline / 4)
    await ended_within(deadline / 2, producer.client.close())
