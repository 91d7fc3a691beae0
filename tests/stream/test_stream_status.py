"""What the end of a log tells of its transactions, the age of what waits, and what of it needs a look."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IncompatibleBrokerVersion

from tests.conftest import NewBroker
from tests.stream.streamkit import Input, Stream, until
from worker.devkit.embedded import EmbeddedBroker
from worker.devkit.local import create_topics
from worker.stream.errors import Refused
from worker.stream.outgoing import Outgoing
from worker.stream.status.asking import COMMITTED, EARLIEST, LATEST, Fetched, Part, asking
from worker.stream.status.backlog import oldest
from worker.stream.status.batch import CONTROL, HEADER, MARKER_KEY, TRANSACTIONAL, batches
from worker.stream.status.opened import Opened, opened
from worker.stream.status.reading import Reader
from worker.stream.status.standing import Digest, Lane, OpenTransaction
from worker.stream.status.tails import Span, Tail, tails
from worker.stream.status.verdict import findings, numbers
from worker.stream.transactions.producer import TransactionalProducer

PLACE = TopicPartition("topic", 0)


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


TAILS: dict[str, tuple[list[Laid], tuple[int | None, int | None]]] = {
    "nothing was ever written": ([], (None, None)),
    "a commit": ([Laid(0, records=5), Laid(5, "commit", ms=70)], (70, 0)),
    "an abort behind a commit": (
        [Laid(0), Laid(1, "commit", ms=70), Laid(2), Laid(3), Laid(4, "abort", ms=90)],
        (70, 0),
    ),
    "a commit within another producer's transaction that was aborted": (
        [Laid(0, producer=1), Laid(1, producer=2), Laid(2, "commit", 1, 70), Laid(3, "abort", 2, 90)],
        (70, 0),
    ),
    "nothing but what was aborted": ([Laid(0), Laid(1, "abort", ms=90)], (None, None)),
    "an emptied marker at the end, a commit before a hole": (
        [Laid(0), Laid(1, "commit", ms=70), Laid(90, "emptied", 2, 95)],
        (70, 0),
    ),
    "a log that begins with a hole": ([Laid(90, "commit", ms=70)], (70, None)),
    "two batches behind a hole's far side": (
        [Laid(10), Laid(11, "commit", 1, 70), Laid(12, "data", 3), Laid(13, "abort", 3), Laid(50, "emptied")],
        (70, 10),
    ),
    "records without a transaction": ([Laid(0, "foreign"), Laid(1, "foreign")], (None, 1)),
}  # fmt: skip
"""When the last commit was, and the offset of the last committed batch of data."""


@pytest.mark.parametrize("case", TAILS)
async def test_the_end_of_a_log_tells_the_last_commit_and_its_record(case: str) -> None:
    laid, (committed, last) = TAILS[case]
    end = laid[-1].end if laid else 0
    log: Any = Log(laid)
    found = await tails(log, {PLACE: Span(0, end)}, {PLACE})
    tail = found[PLACE]
    assert tail.committed_ms == committed
    assert (tail.last and tail.last.batch.base_offset) == last
    assert log.looks < 20


async def test_a_log_without_any_commit_is_given_up_and_not_read_to_its_beginning() -> None:
    log: Any = Log([Laid(offset, "foreign") for offset in range(10_000)])
    found = await tails(log, {PLACE: Span(0, 10_000)})
    assert found[PLACE] == Tail(None, None)
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


class OldLog(Log):
    """A log of a broker that does not know of the questions about transactions; it is stable up to here."""

    nodes = (1,)
    stable = 0

    async def ask(self, *_: Any) -> None:
        raise IncompatibleBrokerVersion

    async def offsets(self, *_: Any) -> dict[TopicPartition, int]:
        return {PLACE: self.stable}


OPENED: dict[str, tuple[list[Laid], int | None]] = {
    "nothing is behind it": ([Laid(0, ms=5)], None),
    "its own records and foreign ones": ([Laid(0), Laid(1, "foreign", 2, 50), Laid(2)], None),
    "two markers": ([Laid(0), Laid(1, "data", 2), Laid(2, "abort", 2, 70), Laid(3, "commit", 3, 90)], 70),
    "too much before a marker": ([*[Laid(number) for number in range(99)], Laid(99, "commit", 2, 70)], None),
}


@pytest.mark.parametrize("case", OPENED)
async def test_the_first_marker_behind_an_open_transaction_tells_since_when_at_least(case: str) -> None:
    laid, since = OPENED[case]
    log: Any = OldLog(laid)
    assert await opened(log, {PLACE: Span(0, laid[-1].end)}) == {
        PLACE: Opened(1, since, None, is_abandoned=False)
    }


@pytest.mark.parametrize("laid", [[Laid(0), Laid(1, "commit")], [Laid(0, "foreign")]])
async def test_what_has_ended_meanwhile_is_not_open(laid: list[Laid]) -> None:
    log: Any = OldLog(laid)
    log.stable = laid[-1].end
    assert await opened(log, {PLACE: Span(0, laid[-1].end)}) == {}


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
        assert await until(lambda: span_of(stream, place), "a leader") == (Span(0, 0), Tail(None, None))
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


def lane(**changed: Any) -> Lane:
    known: dict[str, Any] = {
        "partition": 0, "owner": "w", "first_offset": 0, "committed_offset": 9, "end_offset": 9,
        "lag_records": 0, "lag_seconds": 0.0, "blocked_records": 0, "last_commit": 1.0, "digest": None,
    }  # fmt: skip
    return Lane(**(known | changed))


def digest(name: str, *, live: bool = True) -> Digest:
    return Digest(name, "1", {}, {}, (0,), 1.0, live)


def transaction(*, hangs: bool) -> OpenTransaction:
    return OpenTransaction("topic", 3, 4711, 1, 2, 20.0, hangs)


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
    "a transaction is open": ({"open": [transaction(hangs=False)]}, []),
    "a transaction hangs": ({"open": [transaction(hangs=True)]}, ["hanging_transaction"]),
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
