"""Batches that are small as they come and large unpacked: none is lost, and none stops a partition."""

from __future__ import annotations

import tracemalloc

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from tests.stream import bombs
from tests.stream.bombs import as_made_before
from tests.stream.streamkit import Stream, neighbours, partition
from worker.stream.records import Records
from worker.stream.topics import differences, specs
from worker.stream.unpacking import (
    STANDS_FOR,
    UNPACKED_BYTES,
    BoundedRecords,
    CannotUnpack,
    StandIn,
    unpacked,
)

CODECS = ["gzip", "snappy", "xerial", "lz4", "zstd"]
FRAME = 20
"""What is around the value of a batch's only record, at most."""


def read(batch: bytes) -> list[object]:
    return list(BoundedRecords(Records(batch)).next_batch())


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_within_the_bound_is_unpacked_as_ever(codec: str) -> None:
    batch = bombs.batch(bombs.one_value(UNPACKED_BYTES - FRAME), codec)
    (record,) = read(batch)
    (as_ever,) = Records(batch).next_batch()
    fields = ("offset", "timestamp", "timestamp_type", "key", "value", "headers", "checksum")
    assert [getattr(record, name) for name in fields] == [getattr(as_ever, name) for name in fields]


@pytest.mark.parametrize("codec", CODECS)
def test_in_the_place_of_a_batch_beyond_the_bound_stands_one_record_with_its_bytes(codec: str) -> None:
    batch = bombs.batch(bombs.one_value(UNPACKED_BYTES), codec)
    (record,) = read(batch)
    assert isinstance(record, StandIn)
    assert (record.key, record.value, record.timestamp) == (None, batch, bombs.STAMP)
    ((name, told),) = record.headers
    assert (name, f"more than {UNPACKED_BYTES} bytes" in (told or b"").decode()) == (STANDS_FOR, True)


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_that_packs_well_takes_room_for_what_it_holds_and_not_for_what_it_might(codec: str) -> None:
    size = 100_000
    packed = memoryview(bombs.batch(bombs.one_value(size), codec))
    tracemalloc.start()
    try:
        assert len(unpacked(packed)) > size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < UNPACKED_BYTES / 4


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_that_cannot_be_unpacked_is_not_raised_on_for_ever(codec: str) -> None:
    whole = bombs.batch(bombs.one_value(100_000), codec)
    for damaged in (whole[:-20], whole[:70], whole[:61], whole[:61] + b"\xff" * 40):
        with pytest.raises(CannotUnpack):
            unpacked(memoryview(damaged))


@pytest.mark.parametrize("size", [-4, 0, 1 << 30])
def test_blocks_of_snappy_that_lead_nowhere_end(size: int) -> None:
    whole = bytearray(bombs.batch(bombs.one_value(1000), "xerial"))
    whole[61 + 16 : 61 + 20] = size.to_bytes(4, "big", signed=True)
    with pytest.raises(CannotUnpack):
        unpacked(memoryview(whole))


def test_a_codec_that_kafka_does_not_have_is_refused() -> None:
    whole = bytearray(bombs.batch(bombs.one_value(1000), "zstd"))
    whole[22] = 7
    with pytest.raises(CannotUnpack, match="none of Kafka's"):
        unpacked(memoryview(whole))


def test_what_stands_for_many_records_has_the_offset_of_the_last() -> None:
    """Wherever within the batch the reading begins, it is met."""
    (record,) = read(bombs.batch(bombs.one_value(UNPACKED_BYTES), "zstd", count=7))
    assert isinstance(record, StandIn)
    assert record.offset == 6
    (_, told), *_ = record.headers
    assert (told or b"").startswith(b"7 records, offsets 0 to 6, in zstd: ")


async def test_a_bomb_on_a_topic_from_before_is_a_dead_letter_and_its_neighbours_are_decided(
    stream: Stream,
) -> None:
    await as_made_before(stream)
    before, after = neighbours(2, seed=61)
    place = partition(before)
    bomb = bombs.batch(bombs.one_value(1 << 30), "zstd")
    assert len(bomb) < 40_000
    await stream.publish([before])
    await bombs.send(stream.settings.bootstrap_servers, stream.settings.input_topic, place, bomb)
    await stream.publish([after])
    worker = stream.worker()
    await stream.drained(3)
    ((letter,),) = (await stream.dead_letters()).values()
    headers = dict(letter.headers)
    assert headers["mms.dlq.reason"] == b"too_large"
    assert headers["__streams.errors.offset"] == b"1"
    assert b"offsets 1 to 1, in zstd" in headers[STANDS_FOR]
    # The broker has put in the offset, and nothing that the checksum is over has changed.
    assert (letter.key, (letter.value or b"")[21:]) == (None, bomb[21:])
    assert len((await stream.results())[place]) == 2
    assert await worker.metric("process_resident_memory_bytes") < 512 << 20


async def test_a_new_input_topic_takes_no_bomb(stream: Stream) -> None:
    bomb = bombs.batch(bombs.one_value(20 << 20), "zstd")
    with pytest.raises(MessageSizeTooLargeError):
        await bombs.send(stream.settings.bootstrap_servers, stream.settings.input_topic, 0, bomb)


async def test_what_is_sent_compressed_is_kept_uncompressed(stream: Stream) -> None:
    claim, *_ = neighbours(1, seed=62)
    await stream.publish([claim], compression="zstd")
    stream.worker()
    await stream.drained(1)
    assert len((await stream.results())[partition(claim)]) == 1


async def test_an_input_topic_from_before_is_told_of_and_worked_on(stream: Stream) -> None:
    await as_made_before(stream)
    async with stream.administration() as client:
        (found,) = await differences(client, stream.settings)
    topic = stream.settings.input_topic
    assert not found.essential
    assert str(found) == (
        f"topic {topic} has compression.type=producer, not uncompressed; repair: kafka-configs.sh "
        f"--bootstrap-server {stream.settings.bootstrap_servers} --alter --entity-type topics "
        f"--entity-name {topic} --add-config compression.type=uncompressed"
    )
    worker = stream.worker()
    await worker.ready()
    assert [line["what"] for line in worker.said("topic differs")] == [
        "has compression.type=producer, not uncompressed"
    ]


def test_only_the_input_topic_is_kept_uncompressed(stream: Stream) -> None:
    asked = {spec.name: spec.config.get("compression.type") for spec in specs(stream.settings)}
    assert asked.pop(stream.settings.input_topic) == "uncompressed"
    assert set(asked.values()) == {None}
