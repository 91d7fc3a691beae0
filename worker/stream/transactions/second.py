"""aiokafka's producer, taught the second transaction protocol (KIP-890) where the cluster has agreed to it.

With the first, a transaction takes five requests one after the other: add partitions, produce, add the group,
commit its offset, end. With the second it takes three, since brokers add partitions and group by themselves.
And each transaction has a producer epoch of its own: a request of an earlier one that was held up on its way
is refused, instead of becoming part of a later one or of one that nobody ends.

A cluster that has not agreed (``transaction.version`` below 2, or none at all) is spoken to as before.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from aiokafka.client import CoordinationType
from aiokafka.errors import (
    BrokerResponseError,
    CoordinatorLoadInProgressError,
    GroupAuthorizationFailedError,
    InvalidProducerEpoch,
    KafkaConnectionError,
    NodeNotReadyError,
    NoError,
    NotEnoughReplicasError,
    RequestTimedOutError,
    for_code,
)
from aiokafka.producer.sender import EndTxnHandler, Sender, SendProduceReqHandler, TxnOffsetCommitHandler
from aiokafka.producer.transaction_manager import PidAndEpoch, TransactionManager

from worker.stream.transactions.features import ApiVersions
from worker.stream.transactions.messages import EndTxn, Produce, TxnOffsetCommit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import TopicPartition

    from worker.stream.transactions.messages import (
        EndTxnResponseV5,
        ProduceResponseV12,
        TxnOffsetCommitResponseV5,
    )

TRANSACTION_VERSION = "transaction.version"
SECOND = 2
RETRY_BACKOFF_MS = 100
"""aiokafka's own default."""
CONCURRENT_TRANSACTIONS = 51
PRODUCER_FENCED = 90
"""What brokers say in newer versions of what aiokafka knows as INVALID_PRODUCER_EPOCH."""


class Account(TransactionManager):  # type: ignore[misc]  # aiokafka has no types
    """Where a transaction stands. With the second protocol there is nothing to add before it is written."""

    is_second = False

    def maybe_add_partition_to_txn(self, tp: TopicPartition) -> None:
        """Count a partition in."""
        if not self.is_second:
            super().maybe_add_partition_to_txn(tp)
        else:
            self._txn_partitions.add(tp)

    def add_offsets_to_txn(self, offsets: Any, group_id: str) -> Any:
        """Take offsets that are to be committed; gives a future of that."""
        taken = super().add_offsets_to_txn(offsets, group_id)
        if self.is_second:
            self.consumer_group_added(group_id)
        return taken

    def go_on_as(self, producer_id: int, epoch: int) -> None:
        """Write what comes next with this epoch: its sequences begin again."""
        self._pid_and_epoch = PidAndEpoch(producer_id, epoch)
        self._sequence_numbers.clear()

    @property
    def producer(self) -> tuple[int, int]:
        """Producer id and epoch."""
        return self._pid_and_epoch.pid, self._pid_and_epoch.epoch


class Speaker(Sender):  # type: ignore[misc]  # as above
    """What asks brokers. With the second protocol it puts its requests otherwise."""

    async def _send_produce_req(self, node_id: int, batches: Mapping[TopicPartition, Any]) -> None:
        if not self._txn_manager.is_second:
            await super()._send_produce_req(node_id, batches)
            return
        await _Producing(self, batches).do(node_id)
        self._in_flight.remove(node_id)
        self._muted_partitions.difference_update(batches)

    async def _do_txn_offset_commit(self, offsets: Any, group_id: str) -> None:
        if not self._txn_manager.is_second or not offsets:
            await super()._do_txn_offset_commit(offsets, group_id)
            return
        try:
            node_id = await self._find_coordinator(CoordinationType.GROUP, group_id)
        except GroupAuthorizationFailedError as refused:
            self._txn_manager.error_transaction(refused)
            return
        await _Committing(self, offsets, group_id).do(node_id)

    async def _do_txn_commit(self, commit_result: bool) -> None:
        account = self._txn_manager
        if not account.is_second:
            await super()._do_txn_commit(commit_result)
            return
        await self._message_accumulator.flush_for_commit()
        if account.is_empty_transaction():
            account.complete_transaction()
            return
        node_id = await self._find_coordinator(CoordinationType.TRANSACTION, account.transactional_id)
        await _Ending(self, commit_result).do(node_id)

    async def settle_on_a_protocol(self) -> None:
        """Ask until the cluster tells which protocol it has agreed to, and speak that.

        Raises what aiokafka raises, but not of a connection that is lost or of no answer in time.
        """
        account = self._txn_manager
        while True:
            node_id = await self._find_coordinator(CoordinationType.TRANSACTION, account.transactional_id)
            try:
                answer = await self.client.send(node_id, ApiVersions())
            except NotImplementedError:
                return  # what aiokafka says of a broker without version 3, before Kafka 2.4: no features
            except (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError):
                self._coordinator_dead(CoordinationType.TRANSACTION)
                await asyncio.sleep(self._retry_backoff)
                continue
            if answer.error_code != NoError.errno:
                raise for_code(answer.error_code)
            account.is_second = answer.finalized().get(TRANSACTION_VERSION, 0) >= SECOND
            return


class _Producing(SendProduceReqHandler):  # type: ignore[misc]  # as above
    """Writes batches."""

    def create_request(self) -> Produce:
        topics = defaultdict(list)
        for tp, batch in self._batches.items():
            topics[tp.topic].append((tp.partition, batch.get_data_buffer()))
        sender = self._sender
        return Produce(sender._txn_manager.transactional_id, sender._request_timeout_ms, topics)  # noqa: SLF001

    def handle_response(self, response: ProduceResponseV12) -> None:
        answer = response.as_v7()
        for _, partitions in answer.topics:
            partitions[:] = [
                (of, _waits(_known(error), NotEnoughReplicasError), *rest) for of, error, *rest in partitions
            ]
        super().handle_response(answer)


class _Committing(TxnOffsetCommitHandler):  # type: ignore[misc]  # as above
    """Commits a group's offsets with the transaction."""

    def create_request(self) -> TxnOffsetCommit:
        topics = defaultdict(list)
        for tp, offset in self._offsets.items():
            topics[tp.topic].append((tp.partition, offset.offset, offset.metadata))
        account = self._sender._txn_manager  # noqa: SLF001  aiokafka's own way
        return TxnOffsetCommit(account.transactional_id, self._group_id, account.producer, topics)

    def handle_response(self, resp: TxnOffsetCommitResponseV5) -> float | None:
        answer = resp.as_v0()
        for _, partitions in answer.errors:
            partitions[:] = [
                (of, _waits(_known(error), CoordinatorLoadInProgressError)) for of, error in partitions
            ]
        return super().handle_response(answer)  # type: ignore[no-any-return]  # as above


class _Ending(EndTxnHandler):  # type: ignore[misc]  # as above
    """Commits or aborts the transaction."""

    def create_request(self) -> EndTxn:
        account = self._sender._txn_manager  # noqa: SLF001  aiokafka's own way
        return EndTxn(account.transactional_id, account.producer, bool(self._commit_result))

    def handle_response(self, resp: EndTxnResponseV5) -> float | None:
        resp.error_code = _known(resp.error_code)
        if resp.error_code == NoError.errno:
            self._sender._txn_manager.go_on_as(resp.producer_id, resp.producer_epoch)  # noqa: SLF001
        return super().handle_response(resp)  # type: ignore[no-any-return]  # as above


class Producer(AIOKafkaProducer):  # type: ignore[misc]  # as above
    """aiokafka's transactional producer, which speaks what its cluster has agreed to."""

    def __init__(self, *, transactional_id: str, transaction_timeout_ms: int, **given: Any) -> None:
        super().__init__(
            transactional_id=transactional_id, transaction_timeout_ms=transaction_timeout_ms, **given
        )
        self._txn_manager = Account(transactional_id, transaction_timeout_ms)
        self._message_accumulator._txn_manager = self._txn_manager  # noqa: SLF001  its own part
        self._sender: Speaker = Speaker(
            self.client,
            acks=Produce.required_acks,
            txn_manager=self._txn_manager,
            message_accumulator=self._message_accumulator,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            request_timeout_ms=self._request_timeout_ms,
        )

    async def start(self) -> None:
        """Reach the cluster, end what the transactional id has left open, and settle on a protocol."""
        await super().start()
        await self._sender.settle_on_a_protocol()


def _known(error: int) -> int:
    """The error by the number that aiokafka knows it by."""
    return InvalidProducerEpoch.errno if error == PRODUCER_FENCED else error


def _waits(error: int, retried: type[BrokerResponseError]) -> int:
    """Of what a transaction may now begin with: the one before it may not have ended.

    aiokafka expects that of AddPartitionsToTxn alone. What it tries again is ``retried``.
    """
    return retried.errno if error == CONCURRENT_TRANSACTIONS else error
