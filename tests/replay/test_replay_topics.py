"""Topics as evidence: planned in the order that makes it whole, read to the planned end and no further."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.structs import OffsetAndMetadata
from msgspec import structs

from tests.stream.streamkit import PARTITIONS, Input, Stream, claims, placed, until
from worker.replay.reading.evidence import EvidenceError, Record, Shard, Span
from worker.replay.reading.topics import TopicSource
from worker.replay.reading.window import Bounds, Moment, Offset, Offsets
from worker.stream.errors import Refused
from worker.stream.records import RawName

MAY_4 = 1_777_852_800_000
DAY = 86_400_000
NONE = Span(0, 0)


def source(stream: Stream, bounds: Bounds | None = None, **changed: Any) -> TopicSource:
    """What another process is given."""
    made = TopicSource(stream.settings.model_copy(update={"patience_s": 5.0, **changed}), bounds or Bounds())
    return pickle.loads(pickle.dumps(made))  # noqa: S301  our own bytes


def at(number: int, *values: bytes) -> list[Input]:
    return [Input(b"k", value, number) for value in values]


async def commit(stream: Stream, offsets: dict[int, int]) -> None:
    """Commit offsets of the worker's group, as a worker would."""
    settings = stream.settings
    places = {TopicPartition(settings.input_topic, number): offset for number, offset in offsets.items()}
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, group_id=settings.app_id, enable_auto_commit=False
    ) as consumer:
        consumer.assign(list(places))
        await consumer.commit({place: OffsetAndMetadata(offset, "") for place, offset in places.items()})


async def cut(stream: Stream, topic: str, offsets: dict[int, int]) -> None:
    """Take away what is before these offsets."""
    async with stream.administration() as client:
        await client.delete_records(
            {TopicPartition(topic, number): RecordsToDelete(offset) for number, offset in offsets.items()}
        )


@asynccontextmanager
async def publisher(stream: Stream) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of results, in transactions."""
    settings = stream.settings
    async with AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers, transactional_id=f"{settings.app_id}-publisher"
    ) as producer:
        yield producer


async def send(producer: AIOKafkaProducer, stream: Stream, number: int, *values: bytes) -> None:
    for value in values:
        await producer.send_and_wait(stream.settings.results_topic, value, key=b"k", partition=number)


async def events_of(made: TopicSource, shard: Shard) -> list[Record]:
    async with made.open() as evidence:
        span = shard.events
        return [record async for batch in evidence.events(shard, span.begin, span.end) for record in batch]


async def results_of(made: TopicSource, shard: Shard) -> list[Record]:
    async with made.open() as evidence:
        span = shard.results
        return [record async for batch in evidence.results(shard, span.begin, span.end) for record in batch]


def values(records: Sequence[Record]) -> list[bytes | None]:
    return [record.value for record in records]


async def test_a_workers_events_and_results_are_all_there_up_to_what_it_has_decided(stream: Stream) -> None:
    sent = claims(80)
    await stream.publish(sent[:60])
    worker = stream.worker()
    await stream.drained(60)
    assert worker.stop(20)
    await stream.publish(sent[60:])
    published = await stream.results()

    made = source(stream)
    decided, later = placed(sent[:60]), placed(sent)
    for shard in await made.shards():
        number = shard.number
        assert shard.events == Span(0, len(decided[number]))
        assert shard.window == Span(0, shard.tail_end)
        assert shard.tail_end == len(later[number])
        records = await events_of(made, shard)
        assert [(each.key, each.value) for each in records] == [
            (each.key, each.value) for each in decided[number]
        ]
        results = await results_of(made, shard)
        # All but what ends a transaction, which has offsets of its own.
        assert [(each.offset, each.value) for each in results] == [
            (each.offset, each.value) for each in published[number]
        ]
        assert {each.offset for each in records} == set(range(len(decided[number])))
        async with made.open() as evidence:
            tail = [
                each
                async for some in evidence.events(shard, shard.events.end, shard.tail_end)
                for each in some
            ]
        assert values(tail) == [each.value for each in later[number][len(decided[number]) :]]


async def test_while_a_worker_works_results_reach_as_far_as_events(stream: Stream) -> None:
    sent = claims(2_000)
    await stream.publish(sent)
    worker = stream.worker(batch_max_records=5)  # so many transactions that plans are made between them
    made = source(stream)
    plans = []
    await stream.drained(1)
    async with stream.administration() as client:
        while not plans or await stream.committed(client) < len(sent):
            plans.append(await made.shards())
    assert worker.stop(20)
    assert any(0 < shard.events.end < shard.tail_end for shards in plans for shard in shards)
    for shard in (shard for shards in plans[:: max(1, len(plans) // 2)] for shard in shards):
        events = [orjson.loads(each.value)["id"] for each in await events_of(made, shard)]
        results = [orjson.loads(each.value)["cause"]["id"] for each in await results_of(made, shard)]
        assert len(events) == shard.events.end
        assert set(events) <= set(results)


async def test_planning_joins_no_group_and_commits_nothing(stream: Stream) -> None:
    await stream.publish(at(0, b"1", b"2"))
    await commit(stream, {0: 1})
    made = source(stream)
    shard = (await made.shards())[0]
    await events_of(made, shard)
    async with stream.administration() as client:
        offsets = await client.list_consumer_group_offsets(stream.settings.app_id)
        groups = await client.describe_consumer_groups([stream.settings.app_id])
    assert {place.partition: told.offset for place, told in offsets.items()} == {0: 1}
    assert "Empty" in str(groups[0])


@pytest.mark.parametrize(
    ("committed", "ends"),
    [
        ({}, {0: 0, 1: 0}),  # nobody knows: results have to tell
        ({0: 0, 1: 0}, {0: 0, 1: 0}),
        ({0: 2, 1: 1}, {0: 2, 1: 1}),
        ({0: 3}, {0: 3, 1: 0}),  # partition 1 was never begun
        ({0: 9, 1: 1}, {0: 3, 1: 1}),
    ],
)
async def test_events_end_where_decisions_do(
    committed: dict[int, int], ends: dict[int, int], stream: Stream
) -> None:
    await stream.publish([*at(0, b"1", b"2", b"3"), *at(1, b"4")])
    if committed:
        await commit(stream, committed)
    shards = await source(stream).shards()
    assert [shard.events for shard in shards] == [
        Span(0, ends.get(number, 0)) for number in range(PARTITIONS)
    ]
    assert [shard.tail_end for shard in shards] == [3, 1, 0, 0]


@pytest.mark.parametrize(
    ("bounds", "windows"),
    [
        (Bounds(), [Span(0, 3), Span(0, 2), NONE, NONE]),
        (Bounds(Offset(1), Offset(2)), [Span(1, 2), Span(1, 2), NONE, NONE]),
        (Bounds(Offset(2), Offset(99)), [Span(2, 3), Span(2, 2), NONE, NONE]),
        (Bounds(None, Offsets(((1, 1),))), [Span(0, 3), Span(0, 1), NONE, NONE]),
        (Bounds(Offsets(((0, 2), (1, 2)))), [Span(2, 3), Span(2, 2), NONE, NONE]),
        (Bounds(Moment(MAY_4 + DAY)), [Span(1, 3), Span(0, 2), NONE, NONE]),
        (Bounds(Moment(MAY_4 + DAY + 1)), [Span(2, 3), Span(0, 2), NONE, NONE]),
        (Bounds(Moment(0), Moment(MAY_4 + DAY)), [Span(0, 1), NONE, NONE, NONE]),
        (Bounds(None, Moment(MAY_4 + 9 * DAY)), [Span(0, 3), Span(0, 2), NONE, NONE]),
        (Bounds(Offset(1), Moment(MAY_4 + 2 * DAY)), [Span(1, 2), Span(1, 1), NONE, NONE]),
    ],
)
async def test_a_window_is_bounded_by_offsets_and_times(
    bounds: Bounds, windows: list[Span], stream: Stream
) -> None:
    for day, number in [(0, 0), (1, 0), (2, 0), (2, 1), (3, 1)]:
        await stream.publish(at(number, b"%d" % day), timestamp=MAY_4 + day * DAY)
    shards = await source(stream, bounds).shards()
    assert [shard.tail_end for shard in shards] == [3, 2, 0, 0]
    for shard, window in zip(shards, windows, strict=True):
        assert shard.window == window or (window == NONE and shard.window.begin == shard.window.end)


@pytest.mark.parametrize(
    ("bounds", "why"),
    [
        (Bounds(Offset(2)), "no event lies between --from and --to"),
        (Bounds(Moment(MAY_4 + DAY)), "no event lies between --from and --to"),
        (Bounds(Offsets(((4, 0),))), "--from: .* has no partition 4, it has 4"),
        (Bounds(None, Offsets(((7, 0),))), "--to: .* has no partition 7, it has 4"),
        (Bounds(Offset(1), Moment(MAY_4)), "no event lies between --from and --to"),
    ],
)
async def test_a_window_that_topics_do_not_have_is_refused(bounds: Bounds, why: str, stream: Stream) -> None:
    await stream.publish(at(0, b"1", b"2"), timestamp=MAY_4)
    with pytest.raises(EvidenceError, match=why):
        await source(stream, bounds).shards()


async def test_a_topic_that_begins_later_is_refused_with_its_partitions(stream: Stream) -> None:
    await stream.publish([*at(0, b"1"), *at(1, b"1", b"2"), *at(2, b"1", b"2", b"3")])
    await cut(stream, stream.settings.input_topic, {1: 2, 2: 1})  # nothing is left of partition 1
    with pytest.raises(
        EvidenceError, match="partition 1 begins at offset 2, 2 begins at offset 1; replay archived"
    ):
        await source(stream).shards()


async def test_where_results_begin_is_told(stream: Stream) -> None:
    async with publisher(stream) as producer, producer.transaction():
        await send(producer, stream, 1, b"1", b"2", b"3")
    await cut(stream, stream.settings.results_topic, {1: 2})
    made = source(stream)
    shard = (await made.shards())[1]
    assert shard.results == Span(2, 4)  # behind what ends the transaction
    assert values(await results_of(made, shard)) == [b"3"]


async def test_reading_ends_at_its_end_while_more_is_produced(stream: Stream) -> None:
    first = at(0, *(b"%d" % number for number in range(2500)))
    await stream.publish(first)
    made = source(stream)
    shard = (await made.shards())[0]
    await stream.publish(first)
    found: list[Record] = []
    async with made.open() as evidence:
        async for batch in evidence.events(shard, 0, 2500):
            assert len(batch) <= 1000
            found += batch
            await stream.publish(at(0, b"more"))
        assert values(found) == [each.value for each in first]
        # Reading can be dropped half-way, begun anywhere, and events and results are read in turns.
        for begin, end in [(0, 1), (2499, 2500), (700, 1900), (5, 5), (7, 3)]:
            part = [each async for some in evidence.events(shard, begin, end) for each in some]
            assert values(part) == [each.value for each in first[begin:end]]
        results = [some async for some in evidence.results(shard, 0, 0)]
    assert results == []


async def taken_away(stream: Stream, topic: str) -> None:
    await cut(stream, topic, {0: 2})


async def made_anew(stream: Stream, topic: str) -> None:
    async with stream.administration() as client:
        await client.delete_topics([topic])
    await stream.create_topics()
    await stream.publish(at(0, b"new"))


@pytest.mark.parametrize(
    ("happens", "begin", "why"),
    [
        (taken_away, 0, "partition 0 of .*: the records from offset 0 on are gone"),
        (taken_away, 1, "the records from offset 1 on are gone"),
        (made_anew, 0, "the log ends at 1 now, and at 3 when the replay was planned"),
        (made_anew, 2, "the records from offset 2 on are gone"),
    ],
)
async def test_a_log_that_changes_after_the_plan_is_told(
    happens: Callable[[Stream, str], Any], begin: int, why: str, stream: Stream
) -> None:
    await stream.publish(at(0, b"1", b"2", b"3"))
    made = source(stream, patience_s=1.0)
    shard = (await made.shards())[0]
    await happens(stream, stream.settings.input_topic)
    with pytest.raises(EvidenceError, match=why):
        await events_of(made, structs.replace(shard, events=Span(begin, 3)))


async def test_headers_whose_names_are_not_utf_8_are_read(stream: Stream) -> None:
    headers = [(RawName("\udcffname"), b"1"), ("none", None)]
    async with AIOKafkaProducer(bootstrap_servers=stream.settings.bootstrap_servers) as producer:
        batch = producer.create_batch()
        batch._builder = _DefaultRecordBatchBuilderPy(
            2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 16
        )
        batch.append(key=b"k", value=b"v", timestamp=MAY_4, headers=headers)
        await (await producer.send_batch(batch, stream.settings.input_topic, partition=0))
    made = source(stream)
    await commit(stream, {0: 1})
    (record,) = await events_of(made, (await made.shards())[0])
    assert list(record.headers) == headers
    assert [type(name) for name, _ in record.headers] == [RawName, str]


@pytest.mark.parametrize("field", ["input_topic", "results_topic"])
async def test_a_topic_that_is_not_there_is_refused_and_not_made(field: str, stream: Stream) -> None:
    await stream.publish(at(0, b"1"))  # now every broker knows of the topics
    absent = f"{stream.settings.app_id}.absent"
    with pytest.raises(Refused, match=f"topic {absent} does not exist"):
        await source(stream, **{field: absent}).shards()
    async with stream.administration() as client:
        assert absent not in await client.list_topics()


async def test_partition_counts_must_be_those_of_one_worker(stream: Stream) -> None:
    await stream.publish(at(0, b"1"))
    with pytest.raises(EvidenceError, match="have 4 partitions, MMS_PARTITIONS says 3"):
        await source(stream, partitions=3).shards()
    wider = f"{stream.settings.app_id}.wider"
    async with stream.administration() as client:
        await client.create_topics([NewTopic(wider, 5, 1)])

        async def is_known() -> bool:
            return wider in await client.list_topics()

        await until(is_known, f"the broker to know of {wider}")
    with pytest.raises(
        EvidenceError, match=r"has 4 partitions and .*wider has 5: they are not of one worker"
    ):
        await source(stream, results_topic=wider).shards()
