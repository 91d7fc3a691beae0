"""What the end of a log tells of its transactions, the age of what waits, and what of it needs a look."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from confluent_kafka.admin import AclOperation, ResourceType

from tests.conftest import NewBroker
from tests.stream.aclkit import AUTHORIZER, allow_only
from tests.stream.streamkit import Input, Stream, until
from worker.devkit.embedded import EmbeddedBroker
from worker.devkit.local import create_topics
from worker.stream.errors import Refused
from worker.stream.status.asking import COMMITTED, EARLIEST, LATEST, Fetched, Part, asking
from worker.stream.status.backlog import oldest
from worker.stream.status.batch import CONTROL, HEADER, MARKER_KEY, TRANSACTIONAL, batches
from worker.stream.status.reading import Reader
from worker.stream.status.standing import Digest, Lane, OpenTransaction, Standing
from worker.stream.status.tails import Span, Tail, tails
from worker.stream.status.verdict import findings, numbers
from worker.stream.transaction import Outgoing, TransactionalProducer

PLACE = TopicPartition("topic", 0)
DAY_S = 24 * 60 * 60.0


class Laid(NamedTuple):
    """A batch in a log: of data, or a marker that is ``commit``, ``abort`` or ``emptied``."""

    offset: int
    kind: str = "data"
    producer: int = 1
    ms: int = 0
    records: int = 1

    @property
    def end(self) -> int:
        return self.offset + self.records

    def encoded(self) -> bytes:
        """Its bytes, as far as they tell something."""
        is_marker = self.kind in {"commit", "abort", "emptied"}
        attributes = (CONTROL if is_marker else 0) | (TRANSACTIONAL if self.kind != "foreign" else 0)
        record = b"\0" * 5 + MARKER_KEY.pack(0, int(self.kind == "commit")) + b"\0" * 8
        body = b"" if self.kind == "emptied" else record if is_marker else b"\0" * 40
        length = HEADER.size + len(body) - 12
        count = 0 if self.kind == "emptied" else self.records
        last = self.records - 1
        return (
            HEADER.pack(
                self.offset, length, 0, 2, 0, attributes, last, self.ms, self.ms, self.producer, 0, 0, count
            )
            + body
        )


class Log:
    """A log that answers as a leader does: with the batch that has the offset, or the first behind it.

    ``aborted`` are producer, first and last offset of each transaction that was.
    """

    def __init__(self, laid: Sequence[Laid], aborted: Sequence[tuple[int, int, int]] = ()) -> None:
        self._laid = laid
        self._aborted = aborted
        self.looks = 0

    async def fetched(self, parts: dict[TopicPartition, Part], *_: int) -> dict[TopicPartition, Fetched]:
        self.looks += 1
        at = parts[PLACE].offset
        found = next((one for one in self._laid if one.end > at), None)
        aborted = frozenset((producer, first) for producer, first, last in self._aborted if last >= at)
        return {PLACE: Fetched(found.encoded() if found else b"", aborted)}


TAILS: dict[str, tuple[list[Laid], tuple[int | None, int | None, int | None]]] = {
    "nothing was ever written": ([], (None, None, None)),
    "a commit": ([Laid(0, records=5), Laid(5, "commit", ms=70)], (70, 70, 0)),
    "an abort behind a commit": (
        [Laid(0), Laid(1, "commit", ms=70), Laid(2), Laid(3), Laid(4, "abort", ms=90)],
        (70, 90, 0),
    ),
    "a commit within another producer's transaction that was aborted": (
        [Laid(0, producer=1), Laid(1, producer=2), Laid(2, "commit", 1, 70), Laid(3, "abort", 2, 90)],
        (70, 90, 0),
    ),
    "nothing but what was aborted": ([Laid(0), Laid(1, "abort", ms=90)], (None, 90, None)),
    "an emptied marker at the end, a commit before a hole": (
        [Laid(0), Laid(1, "commit", ms=70), Laid(90, "emptied", 2, 95)],
        (70, 95, 0),
    ),
    "a log that begins with a hole": ([Laid(90, "commit", ms=70)], (70, 70, None)),
    "two batches behind a hole's far side": (
        [Laid(10), Laid(11, "commit", 1, 70), Laid(12, "data", 3), Laid(13, "abort", 3), Laid(50, "emptied")],
        (70, 0, 10),
    ),
    "records without a transaction": ([Laid(0, "foreign"), Laid(1, "foreign")], (None, None, 1)),
}  # fmt: skip
"""Committed, ended, and the offset of the last committed batch of data."""


@pytest.mark.parametrize("case", TAILS)
async def test_the_end_of_a_log_tells_the_last_commit_and_its_record(case: str) -> None:
    laid, (committed, ended, last) = TAILS[case]
    end = laid[-1].end if laid else 0
    log: Any = Log(laid)
    found = await tails(log, {PLACE: Span(0, end)}, {PLACE})
    tail = found[PLACE]
    assert (tail.committed_ms, tail.ended_ms) == (committed, ended)
    assert (tail.last and tail.last.batch.base_offset) == last
    assert log.looks < 20


async def test_a_log_without_any_commit_is_given_up_and_not_read_to_its_beginning() -> None:
    log: Any = Log([Laid(offset, "foreign") for offset in range(10_000)])
    found = await tails(log, {PLACE: Span(0, 10_000)})
    assert found[PLACE] == Tail(None, None, None)
    assert log.looks < 100


OLDEST: dict[str, tuple[int, list[Laid], list[tuple[int, int, int]], int | None]] = {
    "a record": (0, [Laid(0, ms=5)], [], 0),
    "only a marker is left": (1, [Laid(0), Laid(1, "commit")], [], None),
    "an aborted transaction comes first": (
        0,
        [Laid(0), Laid(1, "abort"), Laid(2), Laid(3, "commit")],
        [(1, 0, 1)],
        2,
    ),
    "another producer's was aborted": (0, [Laid(0), Laid(1, "data", 2), Laid(2, "abort", 2)], [(2, 1, 2)], 0),
}


@pytest.mark.parametrize("case", OLDEST)
async def test_markers_and_aborted_records_wait_for_nobody(case: str) -> None:
    begin, laid, aborted, offset = OLDEST[case]
    log: Any = Log(laid, aborted)
    found = await oldest(log, {PLACE: Span(begin, laid[-1].end)})
    first = found[PLACE]
    assert (first and first.offset) == offset


def test_a_marker_that_is_cut_off_tells_nothing() -> None:
    whole = Laid(0).encoded() + Laid(1, "commit").encoded()
    assert [one.marker for one in batches(whole)] == [None, 1]
    for cut in range(1, len(Laid(1, "commit").encoded()) + 1):
        assert [one.base_offset for one in batches(whole[:-cut])] == [0]


async def span_of(stream: Stream, place: TopicPartition) -> tuple[Span, Tail]:
    async with asking(stream.settings) as client:
        await client.leaders()
        (first,) = (await client.offsets([place], EARLIEST)).values()
        (end,) = (await client.offsets([place], LATEST, COMMITTED)).values()
        return Span(first, end), (await tails(client, {place: Span(first, end)}, {place}))[place]


async def test_the_age_of_the_oldest_record_is_its_own_within_a_batch_too(stream: Stream) -> None:
    """Before the batch lies a transaction of the same producer that was aborted."""
    topic, place = stream.settings.input_topic, TopicPartition(stream.settings.input_topic, 1)
    async with AIOKafkaProducer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        transactional_id=f"{stream.settings.app_id}-sender",
        linger_ms=100,
    ) as producer:
        await producer.begin_transaction()
        await (await producer.send(topic, b"v", partition=1, timestamp_ms=500))
        await producer.abort_transaction()
        async with producer.transaction():
            for ms in (1_000, 2_000, 3_000):
                await producer.send(topic, b"v", partition=1, timestamp_ms=ms)
    async with asking(stream.settings) as client:
        await client.leaders()
        found = [(await oldest(client, {place: Span(begin, 6)}))[place] for begin in range(7)]
    first = (2, 1_000)
    assert found == [first, first, first, (3, 2_000), (4, 3_000), None, None]


async def test_a_large_batch_is_told_of_many_partitions_at_once(stream: Stream) -> None:
    noise = bytes(range(256)) * 64
    await stream.publish([Input(b"k", noise, number) for number in range(4)], timestamp=5, compression=None)
    places = [TopicPartition(stream.settings.input_topic, number) for number in range(4)]
    async with asking(stream.settings) as client:
        await client.leaders()
        found = await oldest(client, {place: Span(0, 1) for place in places})
    assert found == dict.fromkeys(places, (0, 5))


async def test_a_compacted_changelog_tells_the_time_of_its_last_commit(
    new_broker: NewBroker, prefix: str, tmp_path: Path
) -> None:
    """Each transaction rolls a segment, which the cleaner takes the older records and markers from."""
    with new_broker(**{"log.cleaner.backoff.ms": 20}) as broker, ExitStack() as ending:
        stream = Stream(broker.bootstrap, prefix, tmp_path, ending)
        settings = stream.settings
        await stream.create_topics()
        topic, place = settings.changelog_topic, TopicPartition(settings.changelog_topic, 0)
        assert await until(lambda: span_of(stream, place), "a leader") == (Span(0, 0), Tail(None, None, None))
        eager = {"min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "0", "segment.ms": "1"}
        async with stream.administration() as client:
            kept = {"cleanup.policy": "compact", **eager}
            await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, kept)])
        producer = TransactionalProducer(TopicPartition(settings.input_topic, 0), settings)
        await producer.start()
        offset = 0

        async def is_compacted() -> bool:
            nonlocal offset
            offset += 1
            began = wall_ms()
            await producer.commit({topic: [Outgoing(b"k", b"v%d" % offset, 1, [])]}, offset)

            async def is_marked() -> tuple[Span, Tail] | None:  # the broker writes it behind its answer
                span, tail = await span_of(stream, place)
                return (span, tail) if (tail.committed_ms or 0) >= began else None

            span, tail = await until(is_marked, "the marker of the transaction")
            assert tail.committed_ms <= wall_ms()  # the broker is on this machine: its clock is ours
            assert tail.last.batch.next_offset == span.end - 1
            return await has_holes(stream, place, span)

        await until(is_compacted, "the cleaner to remove batches")
        await producer.close()


def wall_ms() -> int:
    return int(time.clock_gettime(time.CLOCK_REALTIME) * 1000)


async def has_holes(stream: Stream, place: TopicPartition, span: Span) -> bool:
    async with asking(stream.settings) as client:
        await client.leaders()
        (fetched,) = (await client.fetched({place: Part(span.first, 1 << 20)})).values()
    found = list(batches(fetched.content))
    return any(before.next_offset < after.base_offset for before, after in pairwise(found))


def standing_in(stream: Stream, seconds: float) -> Awaitable[Standing]:
    """How the stream stands for somebody whose clock is so much later."""
    then = timedelta(seconds=seconds)
    return Reader(stream.settings, 60.0, now=lambda: datetime.now(UTC) + then).read()


def open_for(standing: Standing) -> list[tuple[str, bool]]:
    """Age and whether it hangs, of each open transaction; the age in steps of a day."""
    return [
        ("unknown" if one.seconds is None else f"{one.seconds // DAY_S:.0f} d", one.hangs)
        for one in standing.open_transactions
    ]


@asynccontextmanager
async def open_transaction(
    stream: Stream, topic: str, timeout_s: float = 60.0, records: int = 1
) -> AsyncIterator[AIOKafkaProducer]:
    """One on partition 0, of records that say that they are of 1970; it is aborted in the end."""
    async with AIOKafkaProducer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        transactional_id=f"{stream.settings.app_id}-opens",
        transaction_timeout_ms=int(timeout_s * 1000),
    ) as producer:
        await producer.begin_transaction()
        for _ in range(records):
            await (await producer.send(topic, b"v", partition=0, timestamp_ms=1))
        yield producer
        await producer.abort_transaction()


@pytest.mark.parametrize("topic", ["input_topic", "results_topic"])
async def test_a_transaction_hangs_when_brokers_should_have_aborted_it(stream: Stream, topic: str) -> None:
    """Not before: its producer has asked for ten minutes, and none of its records tells when it began."""
    async with open_transaction(stream, getattr(stream.settings, topic), timeout_s=600):
        assert open_for(await standing_in(stream, 0)) == [("0 d", False)]
        assert open_for(await standing_in(stream, 500)) == [("0 d", False)]
        assert open_for(await standing_in(stream, 611)) == [("0 d", True)]
        assert open_for(await standing_in(stream, DAY_S)) == [("1 d", True)]


async def test_who_may_not_ask_the_coordinator_goes_by_what_brokers_have_dated(
    new_broker: NewBroker, prefix: str, tmp_path: Path
) -> None:
    """Markers of other transactions, and all of a topic that has the time of the log."""
    with new_broker(**AUTHORIZER) as broker, ExitStack() as ending:
        stream = Stream(broker.bootstrap, prefix, tmp_path, ending)
        settings, place = stream.settings, TopicPartition(stream.settings.input_topic, 0)
        await stream.create_topics()
        other = TransactionalProducer(place, settings)
        await other.start()
        async with open_transaction(stream, place.topic, records=20):
            allow_only(broker.bootstrap, ResourceType.TRANSACTIONAL_ID, f"{prefix}-opens", [])
            assert open_for(await standing_in(stream, DAY_S)) == [("unknown", False)]
            await other.commit({place.topic: [Outgoing(b"k", b"v", 1, [])]}, 1)

            async def is_marked() -> bool:
                return open_for(await standing_in(stream, DAY_S)) == [("1 d", True)]

            await until(is_marked, "the marker of the other transaction")
            assert open_for(await standing_in(stream, 0)) == [("0 d", False)]
            allow_only(
                broker.bootstrap,
                ResourceType.TRANSACTIONAL_ID,
                f"{prefix}-opens",
                [AclOperation.DESCRIBE, AclOperation.WRITE],
            )
        async with stream.administration() as client:
            dated = {"message.timestamp.type": "LogAppendTime"}
            await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, place.topic, dated)])
        async with open_transaction(stream, place.topic):
            allow_only(broker.bootstrap, ResourceType.TRANSACTIONAL_ID, f"{prefix}-opens", [])
            assert open_for(await standing_in(stream, DAY_S)) == [("1 d", True)]
        await other.close()


def lane(**changed: Any) -> Lane:
    known: dict[str, Any] = {
        "partition": 0, "owner": "w", "first_offset": 0, "committed_offset": 9, "end_offset": 9,
        "lag_records": 0, "lag_seconds": 0.0, "last_commit": 1.0, "digest": None,
    }  # fmt: skip
    return Lane(**(known | changed))


def digest(name: str, *, live: bool = True) -> Digest:
    return Digest(name, "1", {}, {}, (0,), 1.0, live)


def opened(*, hangs: bool) -> OpenTransaction:
    return OpenTransaction("topic", 3, 1, 2, 20.0, hangs)


VERDICTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all is well": ({}, []),
    "a little behind": ({"lanes": [lane(lag_records=9, lag_seconds=60.0)]}, []),
    "behind for longer": ({"lanes": [lane(lag_records=9, lag_seconds=60.1)]}, ["lagging"]),
    "the age is unknown": ({"lanes": [lane(lag_records=9, lag_seconds=None)]}, []),
    "no such group": ({"state": "Dead"}, ["no_group"]),
    "nobody is there": ({"state": "Empty", "lanes": [lane(owner=None)]}, ["no_members"]),
    "partitions are being given out": ({"state": "PreparingRebalance"}, ["rebalancing"]),
    "one has no worker": ({"lanes": [lane(owner=None), lane()]}, ["unowned"]),
    "never committed": ({"lanes": [lane(committed_offset=None)]}, []),
    "the log begins behind the offset": ({"lanes": [lane(first_offset=10, end_offset=12)]}, ["offset_gone"]),
    "the log ends before the offset": ({"lanes": [lane(end_offset=8)]}, ["offset_gone"]),
    "a transaction is open": ({"open": [opened(hangs=False)]}, []),
    "a transaction hangs": ({"open": [opened(hangs=True)]}, ["hanging_transaction"]),
    "two digests decide": ({"digests": [digest("a"), digest("b")]}, ["digest_skew"]),
    "one is from before an upgrade": ({"digests": [digest("a"), digest("b", live=False)]}, []),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_what_needs_a_look(case: str) -> None:
    given, expected = VERDICTS[case]
    found = findings(
        given.get("state", "Stable"),
        given.get("lanes", [lane()]),
        given.get("open", []),
        given.get("digests", [digest("a")]),
        60.0,
    )
    assert [one.code for one in found] == expected


@pytest.mark.parametrize(
    ("partitions", "told"),
    [
        ([3], "partition 3"),
        ([2, 0, 1, 7], "partitions 0-2, 7"),
        (range(1000), "partitions 0-999"),
        (range(0, 1000, 2), "500 partitions"),
    ],
)
def test_partitions_are_named_or_counted(partitions: Sequence[int], told: str) -> None:
    assert numbers(partitions) == told


async def test_the_embedded_broker_is_refused_as_what_it_is(tmp_path: Path) -> None:
    with EmbeddedBroker("a test") as broker, ExitStack() as ending:
        settings = Stream(broker.bootstrap, "embedded", tmp_path, ending).settings
        create_topics(broker, settings)
        with pytest.raises(Refused, match="the devkit's embedded broker is no Kafka"):
            await Reader(settings, 60.0).read()
