"""A bad record becomes one dead letter with its reason and its own bytes; its neighbours are adjudicated."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.consumer import fetcher
from aiokafka.record.util import calc_crc32c

from tests.stream.bombs import as_made_before
from tests.stream.oracle import decided
from tests.stream.streamkit import PARTITIONS, Input, Stream, claims, neighbours, partition
from worker.adjudication.decode import MAX_VALUE_BYTES, Reason
from worker.stream.records import Records

NOISE = random.Random(7)  # noqa: S311  nothing is guarded by it


class Bad(NamedTuple):
    """A way of being bad: what it makes of a good record, and the reason of its dead letter."""

    spoil: Callable[[Input], Input]
    reason: Reason
    path: str = "$"


def value(change: Callable[[bytes], bytes | None]) -> Callable[[Input], Input]:
    """Spoils the value; the record stays where its key belongs."""
    return lambda record: record._replace(value=change(record.value or b""))


def field(name: str, new: Any) -> Callable[[Input], Input]:
    """Sets a field of the first line."""

    def change(old: bytes) -> bytes:
        event = orjson.loads(old)
        event["data"]["lines"][0][name] = new
        return orjson.dumps(event)

    return value(change)


def padded(event: bytes, size: int, filling: str = "x") -> bytes:
    """The same event with a field that the contract ignores, of exactly so many bytes."""
    start = event[:-1] + b',"padding":"'
    room = size - len(start) - 2
    return start + (filling * (room // len(filling) + 1))[:room].encode() + b'"}'


def off_by_one_partition(record: Input) -> Input:
    return record._replace(partition=(partition(record) + 1) % PARTITIONS)


def without_key(record: Input) -> Input:
    return record._replace(key=None, partition=0)


def of_another_member(record: Input) -> Input:
    return record._replace(key=(record.key or b"") + b"-x")


BAD = {
    "not JSON": Bad(value(lambda old: old[:-40]), "undecodable"),
    "JSON, but no object": Bad(value(lambda _: b"[]"), "contract"),
    "empty": Bad(value(lambda _: b""), "undecodable"),
    "null value": Bad(value(lambda _: None), "undecodable"),
    "unknown event type": Bad(value(lambda old: old.replace(b"ted.v1", b".v9")), "unknown_type", "$.type"),
    "wrong type": Bad(field("units", "1"), "contract", "$.data.lines[0].units"),
    "below the bounds": Bad(field("units", 0), "contract", "$.data.lines[0].units"),
    "above the bounds": Bad(field("units", 10_000), "contract", "$.data.lines[0].units"),
    "invalid UTF-8": Bad(value(lambda old: old.replace(b"evt-", b"evt\xff")), "contract"),
    "key twice": Bad(value(lambda old: old.replace(b'"data"', b'"id":"evt-0","data"')), "contract"),
    "NaN": Bad(value(lambda old: old.replace(b'"units":', b'"weight":NaN,"units":', 1)), "contract"),
    "deep nesting": Bad(value(lambda _: b"[" * 100_000 + b"]" * 100_000), "undecodable"),
    "null key": Bad(without_key, "key_mismatch"),
    "another member's key": Bad(of_another_member, "key_mismatch"),
    "another key's partition": Bad(off_by_one_partition, "key_mismatch"),
    "null key and value": Bad(lambda record: without_key(record)._replace(value=None), "undecodable"),
    "a byte over the size limit": Bad(value(lambda old: padded(old, MAX_VALUE_BYTES + 1)), "too_large"),
    "well over the size limit": Bad(value(lambda old: padded(old, 3 * MAX_VALUE_BYTES)), "too_large"),
    "not JSON, at the size limit, and nothing to compress": Bad(
        value(lambda _: NOISE.randbytes(MAX_VALUE_BYTES)), "contract"
    ),
    "a null header": Bad(
        lambda record: record._replace(headers=[("ce_id", None), *record.headers]),  # type: ignore[list-item]
        "contract",
        "ce_specversion",
    ),
}  # fmt: skip


def header(record: ConsumerRecord, name: str) -> str:
    return dict(record.headers)[name].decode()


async def test_bad_records_become_dead_letters_and_their_neighbours_results(stream: Stream) -> None:
    good = claims(2 * len(BAD) + 1, seed=2)
    spare = claims(len(BAD), seed=3)
    records = [good[0]]
    spoiled: dict[str, Input] = {}
    for number, (name, bad) in enumerate(BAD.items()):
        marked = spare[number]._replace(headers=[("traceparent", f"00-{number:032x}-01".encode())])
        spoiled[name] = bad.spoil(marked)
        records += [spoiled[name], good[2 * number + 1], good[2 * number + 2]]
    await as_made_before(stream)
    stream.worker()
    await stream.publish(records, timestamp=1_700_000_000_000)
    await stream.drained(len(records))

    results = await stream.results()
    for number in range(PARTITIONS):
        expected = decided(*(record for record in good if partition(record) == number))
        assert [record.value for record in results[number]] == expected

    letters = {
        (header(letter, "__streams.errors.partition"), header(letter, "__streams.errors.offset")): letter
        for arrived in (await stream.dead_letters()).values()
        for letter in arrived
    }
    offsets: dict[int, int] = dict.fromkeys(range(PARTITIONS), 0)
    names = {id(record): name for name, record in spoiled.items()}
    for record in records:
        place = partition(record)
        name = names.get(id(record))
        if name is not None:
            letter = letters.pop((str(place), str(offsets[place])))
            assert_letter_of(letter, record, name)
        offsets[place] += 1
    assert not letters


def assert_letter_of(letter: ConsumerRecord, record: Input, name: str) -> None:
    assert header(letter, "mms.dlq.reason") == BAD[name].reason, name
    assert header(letter, "mms.dlq.path") == BAD[name].path, name
    assert (letter.key, letter.value, letter.timestamp) == (record.key, record.value, 1_700_000_000_000), name
    assert letter.partition == partition(record), name
    assert letter.headers[: len(record.headers)] == tuple(record.headers), name
    assert header(letter, "__streams.errors.exception") == "Rejected"
    assert header(letter, "__streams.errors.message")
    assert header(letter, "__streams.errors.topic").endswith(".in")


@pytest.mark.parametrize("compression", [None, "lz4", "gzip"])
async def test_a_value_at_the_exact_size_limit_is_adjudicated(
    stream: Stream, compression: str | None
) -> None:
    (claim,) = claims(1, seed=4)
    noise = "".join(NOISE.choices("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", k=9999))
    largest = claim._replace(value=padded(claim.value or b"", MAX_VALUE_BYTES, noise))
    assert len(largest.value or b"") == MAX_VALUE_BYTES
    stream.worker()
    await stream.publish([largest], compression=compression)
    await stream.drained(1)
    (result,) = (await stream.results())[partition(largest)]
    assert [result.value] == decided(largest)


async def test_a_wrong_partition_is_no_fault_when_the_check_is_off(stream: Stream) -> None:
    (claim,) = claims(1, seed=5)
    elsewhere = off_by_one_partition(claim)
    stream.worker(key_partition_check=False)
    await stream.publish([elsewhere])
    await stream.drained(1)
    (result,) = (await stream.results())[partition(elsewhere)]
    assert [result.value] == decided(claim)


class Spoilt:
    """A batch's builder that makes one header's name invalid UTF-8 when it is done."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def build(self) -> bytearray:
        batch = bytearray(self._builder.build()).replace(b"BADNAME", b"\xff\xfeDNAME")
        batch[17:21] = calc_crc32c(bytes(batch[21:])).to_bytes(4, "big")
        return batch


async def test_a_headers_name_that_is_not_utf8_is_a_dead_letter_byte_for_byte(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher, "MemoryRecords", Records)  # or this test could not read the dead letter
    first, spoilt, third, last = neighbours(4, seed=43)
    place = partition(first)
    async with AIOKafkaProducer(bootstrap_servers=stream.settings.bootstrap_servers) as producer:
        batch = producer.create_batch()
        for record in (first, spoilt._replace(headers=[("BADNAME", b"1"), ("fine", None)]), third):  # type: ignore[list-item]
            batch.append(
                key=record.key,
                value=record.value,
                timestamp=1_700_000_000_000,
                headers=list(record.headers),
            )
        batch._builder = Spoilt(batch._builder)
        await (await producer.send_batch(batch, stream.settings.input_topic, partition=place))
    worker = stream.worker()
    await stream.publish([last])
    await stream.drained(4)
    ((letter,),) = (await stream.dead_letters()).values()
    names = [name.encode() for name, _ in letter.headers]
    assert names[:2] == [b"\xff\xfeDNAME", b"fine"]
    assert [value for _, value in letter.headers[:2]] == [b"1", None]
    assert header(letter, "mms.dlq.reason") == "contract"
    assert header(letter, "mms.dlq.path") == "$"
    assert header(letter, "__streams.errors.offset") == "1"
    assert (letter.key, letter.value, letter.timestamp) == (spoilt.key, spoilt.value, 1_700_000_000_000)
    assert [result.value for result in (await stream.results())[place]] == decided(first, third, last)
    assert worker.exit_code is None


async def test_a_value_that_unpacks_to_more_than_an_input_batch_is_a_dead_letter(stream: Stream) -> None:
    first, large, last = neighbours(3, seed=41)
    large = large._replace(value=NOISE.randbytes(900_000) * 6)
    await as_made_before(stream)
    stream.worker()
    await stream.publish([first, large, last], compression="zstd")
    await stream.drained(3)
    ((letter,),) = (await stream.dead_letters()).values()
    assert header(letter, "mms.dlq.reason") == "too_large"
    assert letter.value == large.value
    assert [result.value for result in (await stream.results())[partition(first)]] == decided(first, last)


async def test_a_dead_letter_that_its_topic_does_not_take_stops_the_worker_with_what_to_raise(
    stream: Stream,
) -> None:
    good, large = claims(2, seed=42)
    large = large._replace(value=NOISE.randbytes(MAX_VALUE_BYTES), partition=partition(good))
    worker = stream.worker()
    await stream.publish([good])
    await stream.drained(1)
    topic = stream.settings.dead_letter_topic
    async with stream.administration() as client:
        small = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "1000"})
        await client.alter_configs([small])
    await stream.publish([large])
    assert await worker.ended() == 2
    (stop,) = worker.said("worker stops")
    assert stop["reason"].startswith(
        f"partition {partition(good)} of {stream.settings.input_topic} offset 1: topic {topic} does not take"
    )
    assert f"raise max.message.bytes of {topic}" in stop["reason"]
    assert await stream.committed() == 1
