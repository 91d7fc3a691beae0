"""Kafka's brokers in memory, as far as one partition's worker meets them.

Every method is one request, applied at one moment. What the transaction coordinator does by itself, writing
the markers one after the other, is for the caller to do: ``markers`` says which are due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.record.memory_records import MemoryRecords

OFFSETS = TopicPartition("__consumer_offsets", 0)


class Code(IntEnum):
    """Kafka's error codes."""

    UNKNOWN_SERVER_ERROR = -1
    NONE = 0
    REQUEST_TIMED_OUT = 7
    MESSAGE_TOO_LARGE = 10
    COORDINATOR_LOAD_IN_PROGRESS = 14
    NOT_COORDINATOR = 16
    NOT_ENOUGH_REPLICAS = 19
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45
    INVALID_PRODUCER_EPOCH = 47
    INVALID_TXN_STATE = 48
    INVALID_PRODUCER_ID_MAPPING = 49
    CONCURRENT_TRANSACTIONS = 51
    PRODUCER_FENCED = 90


class Record(NamedTuple):
    """A record as the fake consumer gives it out; it has what the worker reads of a ConsumerRecord."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Fetched(NamedTuple):
    """The answer to a fetch."""

    records: list[Record]
    position: int
    """The offset to go on from: behind markers, aborted records and what compaction has taken, too."""
    stable_end: int
    end: int


class _Entry(NamedTuple):
    offset: int
    record: Record | None
    """None: a marker."""
    writer: int | None
    """Producer id where it is transactional."""


class Log:
    """One partition, with the transactions that are open in it."""

    def __init__(self, place: TopicPartition) -> None:
        self.place = place
        self.end = 0
        """High watermark; replication takes no time."""
        self.entries: list[_Entry] = []
        self.open: dict[int, int] = {}
        """First offset of the open transaction, by producer id."""
        self.sequences: dict[int, tuple[int, dict[int, int]]] = {}
        """Epoch, and the offset at which each sequence number was written, by producer id."""
        self._aborted: dict[int, list[tuple[int, int]]] = defaultdict(list)

    @property
    def stable_end(self) -> int:
        """The LSO."""
        return min(self.open.values(), default=self.end)

    def append(self, record: Record | None, writer: int | None = None) -> int:
        offset = self.end
        if record is not None:
            record = record._replace(topic=self.place.topic, partition=self.place.partition, offset=offset)
        if writer is not None:
            self.open.setdefault(writer, offset)
        self.entries.append(_Entry(offset, record, writer))
        self.end += 1
        return offset

    def mark(self, writer: int, *, commit: bool) -> None:
        """Write the marker that ends a producer's transaction here."""
        first = self.open.pop(writer, self.end)
        if not commit:
            self._aborted[writer].append((first, self.end))
        self.append(None)

    def committed(self, begin: int = 0, most: int | None = None) -> Fetched:
        """What a read_committed fetch brings."""
        records: list[Record] = []
        stable_end = self.stable_end
        for offset, record, writer in self.entries:
            if offset < begin or record is None or offset >= stable_end or self._is_aborted(offset, writer):
                continue
            if len(records) == most:
                return Fetched(records, records[-1].offset + 1, stable_end, self.end)
            records.append(record)
        return Fetched(records, max(begin, stable_end), stable_end, self.end)

    def compact(self) -> None:
        """Keep of every key its last record only; markers and aborted records go too. Offsets stay."""
        last = {record.key: record.offset for record in self.committed().records}
        self.entries = [
            entry
            for entry in self.entries
            if entry.offset >= self.stable_end
            or (entry.record is not None and last.get(entry.record.key) == entry.offset)
        ]

    def _is_aborted(self, offset: int, writer: int | None) -> bool:
        return writer is not None and any(begin <= offset < end for begin, end in self._aborted[writer])


class State(IntEnum):
    """Of a transaction, as its coordinator has it."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5


PREPARED = {State.PREPARE_COMMIT, State.PREPARE_ABORT}


class Transaction:
    """What the coordinator holds of a transactional id."""

    def __init__(self, producer: int) -> None:
        self.producer = producer
        self.epoch = -1
        self.state = State.EMPTY
        self.is_second = False
        """Whether it was begun and ended by the second protocol (KIP-890): its end has raised the epoch."""
        self.number = 0
        """Counts what this id has begun."""
        self.places: set[TopicPartition] = set()
        self.markers: list[TopicPartition] = []
        """Partitions to which a marker is still to be written."""


class Broker:
    """All of them. ``told`` is called with what has changed: a partition whose stable end has moved."""

    def __init__(self) -> None:
        self.logs: dict[TopicPartition, Log] = {}
        self.transactions: dict[str, Transaction] = {}
        self.offsets: dict[TopicPartition, int] = {}
        """The group's committed offsets."""
        self.aborted = 0
        """How many transactions have been."""
        self.marker_order: Sequence[TopicPartition] = ()
        """In which the partitions of a transaction get their markers; those that are not in it come last."""
        self.told: Callable[[TopicPartition], None] = lambda _: None
        self._pending: dict[int, dict[TopicPartition, int]] = {}

    def log(self, place: TopicPartition) -> Log:
        if place not in self.logs:
            self.logs[place] = Log(place)
        return self.logs[place]

    # ---- the transaction coordinator

    def init(self, name: str) -> tuple[Code, int, int]:
        """InitProducerId: fences the last producer of that name; its transaction must be over first."""
        found = self.transactions.setdefault(name, Transaction(1000 + len(self.transactions)))
        if found.state is State.ONGOING:
            self._fence(found)
        if found.state in PREPARED:
            return Code.CONCURRENT_TRANSACTIONS, -1, -1
        found.epoch += 1
        found.state = State.EMPTY
        return Code.NONE, found.producer, found.epoch

    def add(self, name: str, producer: int, epoch: int, places: Iterable[TopicPartition]) -> Code:
        """AddPartitionsToTxn; with ``OFFSETS`` it is AddOffsetsToTxn."""
        refused, found = self._judged(name, producer, epoch)
        if refused:
            return refused
        if found.state is not State.ONGOING:
            found.state = State.ONGOING
            found.number += 1
        found.places.update(places)
        return Code.NONE

    def end(self, name: str, producer: int, epoch: int, *, commit: bool) -> Code:
        """EndTxn: answered as soon as the decision is made, before any marker is written."""
        refused, found = self._judged(name, producer, epoch)
        if refused:
            return refused
        if found.state is State.ONGOING:
            self._prepare(found, State.PREPARE_COMMIT if commit else State.PREPARE_ABORT)
            found.is_second = False
            return Code.NONE
        done = State.COMPLETE_COMMIT if commit else State.COMPLETE_ABORT
        return Code.NONE if found.state is done else Code.INVALID_TXN_STATE

    def end_second(self, name: str, producer: int, epoch: int, *, commit: bool) -> tuple[Code, int]:
        """EndTxn of the second protocol: error code, and the epoch of the next transaction.

        One that is asked again is told by the epoch that the first has raised.
        """
        found = self.transactions[name]
        if found.producer != producer:
            return Code.INVALID_PRODUCER_ID_MAPPING, -1
        is_again = found.is_second and found.state not in {State.EMPTY, State.ONGOING}
        if found.epoch != epoch + is_again:
            return Code.PRODUCER_FENCED, -1
        if found.state is State.ONGOING:
            self._prepare(found, State.PREPARE_COMMIT if commit else State.PREPARE_ABORT)
            found.epoch += 1
            found.is_second = True
            return Code.NONE, found.epoch
        if found.state is (State.PREPARE_COMMIT if commit else State.PREPARE_ABORT):
            return Code.CONCURRENT_TRANSACTIONS, -1
        if found.state is (State.COMPLETE_COMMIT if commit else State.COMPLETE_ABORT):
            return Code.NONE, found.epoch
        return Code.INVALID_TXN_STATE, -1

    def expire(self, name: str, number: int) -> None:
        """The transaction of that number has lasted for too long."""
        found = self.transactions[name]
        if found.number == number and found.state is State.ONGOING:
            self._fence(found)

    def write_marker(self, name: str) -> bool:
        """Write one of the markers that are due for a name; whether another one is."""
        found = self.transactions[name]
        place = found.markers.pop(0)
        commit = found.state is State.PREPARE_COMMIT
        if place == OFFSETS:
            pending = self._pending.pop(found.producer, {})
            if commit:
                self.offsets.update(pending)
        else:
            log = self.log(place)
            log.mark(found.producer, commit=commit)
            epoch, written = log.sequences.get(found.producer, (found.epoch, {}))
            log.sequences[found.producer] = found.epoch, written if epoch == found.epoch else {}
        if not found.markers:
            found.state = State.COMPLETE_COMMIT if commit else State.COMPLETE_ABORT
            self.aborted += not commit
        self.told(place)
        return bool(found.markers)

    def due(self) -> list[str]:
        """Names of transactions for which markers are to be written."""
        return [name for name, found in self.transactions.items() if found.markers]

    def _fence(self, found: Transaction) -> None:
        found.epoch += 1
        found.is_second = False
        self._prepare(found, State.PREPARE_ABORT)

    def _prepare(self, found: Transaction, state: State) -> None:
        found.state = state
        named = [place for place in self.marker_order if place in found.places]
        found.markers = [*named, *sorted(found.places.difference(named))]
        found.places = set()

    def _judged(self, name: str, producer: int, epoch: int) -> tuple[Code, Transaction]:
        found = self.transactions[name]
        if found.producer != producer:
            return Code.INVALID_PRODUCER_ID_MAPPING, found
        if found.epoch != epoch:
            return Code.INVALID_PRODUCER_EPOCH, found
        return (Code.CONCURRENT_TRANSACTIONS if found.state in PREPARED else Code.NONE), found

    # ---- the group coordinator

    def commit_offsets(
        self, name: str, producer: int, epoch: int, offsets: dict[TopicPartition, int]
    ) -> Code:
        """TxnOffsetCommit: pending until the marker comes. The group must have been added."""
        refused, found = self._judged(name, producer, epoch)
        if refused:
            return refused
        if found.state is not State.ONGOING or OFFSETS not in found.places:
            return Code.INVALID_TXN_STATE
        self._pending.setdefault(producer, {}).update(offsets)
        return Code.NONE

    # ---- the partitions' leaders

    def produce(
        self,
        name: str,
        place: TopicPartition,
        data: bytes,
        begin: Callable[[int, int], Code] | None = None,
    ) -> tuple[Code, int]:
        """Produce of one batch: error code and base offset.

        In a partition in which the transaction has not begun yet it begins with ``begin``, which adds the
        partition for a producer id and epoch (second protocol), or must have been added (first).
        """
        batch = next(_batches(data))
        producer, epoch, first = batch.producer_id, batch.producer_epoch, batch.base_sequence
        log = self.log(place)
        known, written = log.sequences.get(producer, (epoch, {}))
        if epoch < known:
            return Code.INVALID_PRODUCER_EPOCH, -1
        if epoch > known:
            written = {}
        if first in written:
            return Code.NONE, written[first]  # a batch that has come before
        if written and first != max(written) + 1:
            return Code.OUT_OF_ORDER_SEQUENCE_NUMBER, -1
        if producer not in log.open or epoch != known:
            refused = begin(producer, epoch) if begin else self._verified(name, producer, epoch, place)
            if refused:
                waits = begin is None and refused is Code.CONCURRENT_TRANSACTIONS
                return Code.NOT_ENOUGH_REPLICAS if waits else refused, -1
        records = [Record("", 0, 0, one.timestamp, one.key, one.value, tuple(one.headers)) for one in batch]
        for sequence, record in enumerate(records, first):
            written[sequence] = log.append(record, producer)
        log.sequences[producer] = epoch, written
        return Code.NONE, written[first]

    def _verified(self, name: str, producer: int, epoch: int, place: TopicPartition) -> Code:
        """The leader asks the coordinator before a transaction begins in a partition (KIP-890)."""
        refused, found = self._judged(name, producer, epoch)
        if refused:
            return refused
        is_in_it = found.state is State.ONGOING and place in found.places
        return Code.NONE if is_in_it else Code.INVALID_TXN_STATE


def _batches(data: bytes) -> Iterator[object]:
    found = MemoryRecords(data)
    while found.has_next():
        yield found.next_batch()
