"""Reading member histories back: what was committed last, from logs as brokers and cleaners leave them."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from tests.conftest import NewBroker
from tests.stream.streamkit import Stream, until
from worker.adjudication.stored import VERSION
from worker.devkit.embedded import EmbeddedBroker
from worker.stream.bounded import FETCH_BYTES, MOST_RECORDS
from worker.stream.errors import Refused
from worker.stream.markers import PartitionRecords
from worker.stream.outgoing import Outgoing
from worker.stream.restore import restore
from worker.stream.transactions.producer import TransactionalProducer

HANG_S = 30.0
"""What would take so long would take for ever."""
AIOKAFKAS_OWN = PartitionRecords.__mro__[1]

Change = tuple[bytes, bytes | None]
"""A member's key, and the state that is written or None for a tombstone."""


def state(content: bytes, version: int = VERSION) -> bytes:
    return bytes([version]) + content


def of(changes: Iterable[Change]) -> list[Outgoing]:
    return [Outgoing(key, value, 1_700_000_000_000, []) for key, value in changes]


@asynccontextmanager
async def lane(stream: Stream, partition: int = 0) -> AsyncIterator[TransactionalProducer]:
    """The producer of a partition's lane."""
    producer = TransactionalProducer(TopicPartition(stream.settings.input_topic, partition), stream.settings)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.close()


async def commit(stream: Stream, *transactions: Iterable[Change], partition: int = 0) -> None:
    async with lane(stream, partition) as producer:
        for number, changes in enumerate(transactions, 1):
            await producer.commit({stream.settings.changelog_topic: of(changes)}, number)


@asynccontextmanager
async def begun(stream: Stream, name: str, changes: Iterable[Change]) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of that transactional id in a transaction that has reached the changelog's partition 0."""
    producer = AIOKafkaProducer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        transactional_id=f"{stream.settings.app_id}-{name}",
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        for key, value in changes:
            await producer.send_and_wait(stream.settings.changelog_topic, value, key=key, partition=0)
        yield producer
    finally:
        await producer.stop()


async def abort(stream: Stream, changes: Iterable[Change], name: str = "other") -> None:
    async with begun(stream, name, changes) as producer:
        await producer.abort_transaction()


async def test_a_partition_without_histories_restores_to_nothing(stream: Stream) -> None:
    restored = await restore(1, stream.settings)
    assert (restored.histories, restored.records, restored.size) == ({}, 0, 0)


async def test_the_last_committed_history_of_every_member_is_restored(stream: Stream) -> None:
    await commit(stream, [(b"A", state(b"1")), (b"B", state(b"1"))], [(b"A", state(b"22"))])
    await commit(stream, [(b"A", state(b"another partition's"))], partition=1)
    restored = await restore(0, stream.settings)
    assert restored.histories == {b"A": state(b"22"), b"B": state(b"1")}
    assert (restored.records, restored.size) == (3, 5)


async def test_a_member_whose_history_was_removed_is_not_restored(stream: Stream) -> None:
    await commit(
        stream,
        [(b"A", state(b"1")), (b"B", state(b"1")), (b"C", None)],
        [(b"A", None), (b"B", None), (b"B", state(b"2"))],
    )
    assert (await restore(0, stream.settings)).histories == {b"B": state(b"2")}


async def test_what_was_aborted_is_not_restored_and_may_be_the_end_of_the_log(stream: Stream) -> None:
    await commit(stream, [(b"A", state(b"1"))])
    await abort(stream, [(b"A", state(b"never")), (b"B", state(b"never")), (b"A", None)])
    assert (await restore(0, stream.settings)).histories == {b"A": state(b"1")}


async def test_one_members_history_is_read_alone(stream: Stream) -> None:
    await commit(stream, [(b"A", state(b"1")), (b"B", state(b"1", 9))], [(b"A", state(b"2"))])
    assert (await restore(0, stream.settings, only=b"A")).histories == {b"A": state(b"2")}
    assert (await restore(0, stream.settings, only=b"C")).histories == {}


async def test_histories_of_any_number_and_size_are_read(stream: Stream) -> None:
    """More members than are taken in at once, and a record that no fetch has room for."""
    large = Stream(
        stream.settings.bootstrap_servers, f"{stream.settings.app_id}-large", Path(), ExitStack(),
        history_max_bytes=2 * FETCH_BYTES,
    )  # fmt: skip
    await large.create_topics()
    members = {b"%d" % number: state(os.urandom(9)) for number in range(2 * MOST_RECORDS + 1)}
    members[b"large"] = state(os.urandom(2 * FETCH_BYTES))
    members[b"after"] = state(b"1")
    await commit(large, members.items())
    assert (await restore(0, large.settings)).histories == members


async def test_a_leader_that_tells_too_small_an_end_does_not_shorten_what_is_read(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one may that was elected a moment ago."""
    members = {b"%d" % number: state(b"1") for number in range(2 * MOST_RECORDS)}
    await commit(stream, members.items())
    monkeypatch.setattr(AIOKafkaConsumer, "highwater", lambda *_: 1)
    assert (await restore(0, stream.settings)).histories == members


async def test_histories_behind_an_open_transaction_are_waited_for(stream: Stream) -> None:
    """A log that ends at its last stable offset would lose what its own lane has committed."""
    hasty = stream.settings.model_copy(update={"request_timeout_s": 1})
    async with begun(stream, "other", [(b"A", state(b"never"))]) as other:
        await commit(stream, [(b"A", state(b"1"))])
        told = f"partition 0 of {stream.settings.changelog_topic}: nothing came behind offset 0 for 1 s"
        with pytest.raises(TimeoutError, match=told):
            await restore(0, hasty)
        waiting = asyncio.create_task(restore(0, stream.settings))
        await other.abort_transaction()
    assert (await waiting).histories == {b"A": state(b"1")}


@pytest.mark.parametrize(
    ("unknown", "found"),
    [(state(b"MBR-1 C44.311", VERSION + 1), f"version {VERSION + 1}"), (b"", "no version")],
)
async def test_a_history_of_unknown_version_is_refused_by_its_offset_and_not_quoted(
    stream: Stream, unknown: bytes, found: str
) -> None:
    await commit(stream, [(b"MBR-1", state(b"1"))], [(b"MBR-1", unknown), (b"MBR-2", unknown)])
    with pytest.raises(Refused) as refused:
        await restore(0, stream.settings)
    told = str(refused.value)
    # The first transaction's marker is at offset 1.
    assert told.startswith(
        f"partition 0 of {stream.settings.changelog_topic}: the history at offset 2 has {found}, "
        f"this worker knows version {VERSION} (2 such histories there); run the release of the worker"
    )
    assert "MBR" not in told
    assert "C44" not in told


@pytest.mark.parametrize("later", [state(b"2"), None])
async def test_a_history_of_unknown_version_that_was_replaced_is_none(
    stream: Stream, later: bytes | None
) -> None:
    await commit(stream, [(b"A", state(b"1", VERSION + 1))], [(b"A", later)])
    assert (await restore(0, stream.settings)).histories == ({} if later is None else {b"A": later})


@pytest.fixture
async def own(new_broker: NewBroker, prefix: str, tmp_path: Path) -> AsyncIterator[tuple[Stream, int]]:
    """A stream on a broker of its own, and the broker's process to be stopped."""
    with new_broker() as broker, ExitStack() as ending:
        made = Stream(broker.bootstrap, prefix, tmp_path, ending, request_timeout_s=1)
        await made.create_topics()
        assert broker.pid is not None
        ending.callback(os.kill, broker.pid, signal.SIGCONT)
        yield made, broker.pid


async def test_a_broker_that_does_not_answer_is_given_up_and_leaves_nothing_behind(
    own: tuple[Stream, int],
) -> None:
    stream, broker = own
    await commit(stream, [(b"A", state(b"1"))])
    tasks = asyncio.all_tasks()
    os.kill(broker, signal.SIGSTOP)
    async with asyncio.timeout(HANG_S):
        with pytest.raises((TimeoutError, KafkaError)):
            await restore(0, stream.settings)
        await until(lambda: asyncio.all_tasks() == tasks, "the consumer's tasks to end")


@pytest.mark.parametrize("turns", [0, 1, 5, 20, 100, 500, 2500])
async def test_it_can_be_cancelled_anywhere_and_leaves_nothing_behind(stream: Stream, turns: int) -> None:
    async with begun(stream, "other", [(b"A", state(b"never"))]):  # it would wait for the end of this
        tasks = asyncio.all_tasks()
        restoring = asyncio.create_task(restore(0, stream.settings))
        for _ in range(turns):
            await asyncio.sleep(0)
        restoring.cancel()
        with pytest.raises(asyncio.CancelledError):
            await restoring
        await until(lambda: asyncio.all_tasks() == tasks, "the consumer's tasks to end")


async def test_the_embedded_fallback_restores_to_nothing_when_a_worker_starts_on_it(
    prefix: str, tmp_path: Path
) -> None:
    """No more than that: the checksums of its transaction markers are wrong."""
    with EmbeddedBroker("a test") as broker, ExitStack() as ending:
        stream = Stream(broker.bootstrap, prefix, tmp_path, ending)
        broker.create_topics((stream.settings.changelog_topic,))
        assert (await restore(0, stream.settings)).histories == {}


# ---- what the log cleaner leaves, byte by byte

COMMIT, ABORT, EMPTIED = 1, 0, None
CONTROL = 0x20
ATTRIBUTES_AT, CRC_AT, BASE_OFFSET_AT = 21, 17, 0


def written(offset: int, producer: int, *changes: Change) -> bytes:
    """A batch of a transaction as a producer writes it, at an offset."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=1, producer_id=producer, producer_epoch=0,
        base_sequence=0, batch_size=1 << 16,
    )  # fmt: skip
    for number, (key, value) in enumerate(changes):
        builder.append(number, timestamp=0, key=key, value=value, headers=[])
    batch = bytearray(builder.build())
    struct.pack_into(">q", batch, BASE_OFFSET_AT, offset)
    return bytes(batch)


def marker(offset: int, producer: int, kind: int | None) -> bytes:
    """A transaction marker of a broker; without a kind it is one that the cleaner has emptied."""
    batch = bytearray(written(offset, producer, (struct.pack(">HH", 0, kind or 0), bytes(6))))
    if kind is EMPTIED:
        del batch[61:]
        struct.pack_into(">i", batch, 8, len(batch) - 12)
        struct.pack_into(">i", batch, 57, 0)
    (attributes,) = struct.unpack_from(">h", batch, ATTRIBUTES_AT)
    struct.pack_into(">h", batch, ATTRIBUTES_AT, attributes | CONTROL)
    struct.pack_into(">I", batch, CRC_AT, calc_crc32c(memoryview(batch)[ATTRIBUTES_AT:]))
    return bytes(batch)


def fetched(
    *batches: bytes, aborted: Iterable[tuple[int, int]] = (), by: type[Any] = PartitionRecords
) -> tuple[list[bytes], int]:
    """What a read_committed consumer makes of a fetch: the values, and the offset that it fetches next.

    ``aborted`` has, as the broker reports them, producer and first offset of aborted transactions.
    """
    records = by(
        TopicPartition("log", 0), MemoryRecords(b"".join(batches)), list(aborted), 0, None, None,
        True, fetcher.READ_COMMITTED,
    )  # fmt: skip
    values = [record.value for record in records]
    return values, records.next_fetch_offset


def test_an_emptied_marker_raises_in_aiokafka_itself() -> None:
    with pytest.raises(KafkaError, match="Control batch did not contain any records"):
        fetched(marker(0, 7, EMPTIED), by=AIOKAFKAS_OWN)


class TestEmptiedMarkers:
    def test_one_is_passed_over(self) -> None:
        log = [written(0, 7, (b"A", b"1")), marker(1, 7, COMMIT), marker(4, 8, EMPTIED)]
        log += [written(5, 7, (b"A", b"2")), marker(6, 7, COMMIT)]
        assert fetched(*log) == ([b"1", b"2"], 7)

    def test_one_at_the_end_of_the_log_moves_the_position_behind_it(self) -> None:
        log = [written(0, 7, (b"A", b"1")), marker(1, 7, COMMIT), marker(9, 7, EMPTIED)]
        assert fetched(*log) == ([b"1"], 10)

    def test_one_alone_moves_the_position_behind_it(self) -> None:
        assert fetched(marker(3, 7, EMPTIED)) == ([], 4)

    def test_one_between_another_producers_records_ends_nothing_of_its(self) -> None:
        log = [written(0, 7, (b"A", b"aborted")), marker(1, 8, EMPTIED), written(2, 7, (b"A", b"aborted"))]
        log += [marker(3, 7, ABORT), written(4, 7, (b"A", b"1")), marker(5, 7, COMMIT)]
        assert fetched(*log, aborted=[(7, 0)]) == ([b"1"], 6)

    def test_one_before_an_aborted_transaction_of_its_producer_lets_nothing_of_that_through(self) -> None:
        log = [marker(1, 7, EMPTIED), written(2, 7, (b"A", b"aborted")), marker(3, 7, ABORT)]
        log += [written(4, 8, (b"A", b"1")), marker(5, 8, COMMIT)]
        assert fetched(*log, aborted=[(7, 2)]) == ([b"1"], 6)

    def test_one_that_ended_an_abort_ends_it_still(self) -> None:
        """What is committed behind it would be lost otherwise, should a broker report that abort."""
        log = [marker(1, 7, EMPTIED), written(2, 7, (b"A", b"1")), marker(3, 7, COMMIT)]
        assert fetched(*log, aborted=[(7, 0)]) == ([b"1"], 4)

    @pytest.mark.parametrize(("kind", "values"), [(COMMIT, [b"1", b"2"]), (ABORT, [b"2"])])
    def test_one_that_is_whole_says_what_it_said(self, kind: int, values: list[bytes]) -> None:
        log = [written(0, 7, (b"A", b"1")), marker(1, 7, kind), written(2, 7, (b"A", b"2"))]
        log += [marker(3, 7, COMMIT)]
        aborted = [(7, 0)] if kind == ABORT else []
        assert fetched(*log, aborted=aborted) == (values, 4)


# ---- what a real log cleaner leaves


class Kept(NamedTuple):
    """A batch as it lies in the broker's log."""

    offset: int
    next_offset: int
    is_marker: bool
    records: int


def kept(home: Path, partition: TopicPartition) -> list[Kept]:
    """What a broker under ``home`` has in its segments; while the cleaner swaps them, maybe only some."""
    batches: list[Kept] = []
    for segment in sorted(home.glob(f"kafka-*/data/{partition.topic}-{partition.partition}/*.log")):
        try:
            records = MemoryRecords(segment.read_bytes())
        except FileNotFoundError:
            continue
        while (batch := records.next_batch()) is not None:
            count = sum(1 for _ in batch)
            batches.append(Kept(batch.base_offset, batch.next_offset, bool(batch.is_control_batch), count))
    return batches


def gaps(batches: list[Kept]) -> Iterator[int]:
    """Offsets at which the cleaner has removed whole batches."""
    for before, after in pairwise(batches):
        if after.offset > before.next_offset:
            yield before.next_offset


async def compact_at_once(client: AIOKafkaAdminClient, topic: str) -> None:
    """Every transaction gets a segment of its own, which may be cleaned as soon as it is not the last."""
    config = {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.01",
        "delete.retention.ms": "0",
        "segment.ms": "1",
    }
    await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])


async def test_a_log_that_was_really_compacted_restores_to_the_last_committed_histories(
    new_broker: NewBroker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof of compaction is read from the broker's files: batches that are gone, markers that are empty.

    A marker comes to be empty where a lane's producer was fenced in an open transaction, as after a crash,
    and its successor has not written yet: that marker is all by which the broker knows the producer.
    """
    with new_broker(**{"log.cleaner.backoff.ms": 20}) as broker, ExitStack() as ending:
        stream = Stream(broker.bootstrap, prefix, tmp_path, ending)
        settings, place = stream.settings, TopicPartition(stream.settings.changelog_topic, 0)
        await stream.create_topics()
        async with stream.administration() as client:
            await compact_at_once(client, settings.changelog_topic)

        expected: dict[bytes, bytes] = {}
        await commit(stream, [(b"removed", state(b"1")), (b"unchanged", state(b"1"))], [(b"removed", None)])
        expected[b"unchanged"] = state(b"1")
        async with (
            begun(stream, "crashed", [(b"A", state(b"never"))]),
            begun(stream, "crashed", []),  # fences the first, whose transaction is aborted by the broker
            lane(stream) as producer,
        ):
            rounds = 0

            async def is_compacted() -> bool:
                nonlocal rounds
                rounds += 1
                for key in (b"A", b"B"):
                    expected[key] = state(b"%s in round %d" % (key, rounds))
                    changes = of([(key, expected[key])])
                    await producer.commit({settings.changelog_topic: changes}, rounds)
                await abort(stream, [(b"A", state(b"never")), (b"C", state(b"never"))])
                batches = kept(tmp_path, place)
                emptied = [batch for batch in batches if batch.is_marker and batch.records == 0]
                return bool(emptied) and len(list(gaps(batches))) > 1 and rounds > 10

            await until(is_compacted, "the cleaner to remove batches and to empty a marker")

            with monkeypatch.context() as patched:
                patched.setattr("worker.stream.restore.pass_emptied_markers", lambda: None)
                patched.setattr(fetcher, "PartitionRecords", AIOKAFKAS_OWN)
                with pytest.raises(KafkaError, match="Control batch did not contain any records"):
                    await restore(0, settings)
            restored = await restore(0, settings)
        assert restored.histories == expected
        assert restored.records < 2 * rounds  # of those alone that were committed in the rounds
