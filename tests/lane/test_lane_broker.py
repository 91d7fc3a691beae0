"""The brokers in memory are as Kafka's: what the lane's tests stand on."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from tests.lane.broker import OFFSETS, Broker, Code, Record

NAME = "lane"
PLACE = TopicPartition("results", 0)
INPUT = TopicPartition("input", 0)


def batch(producer: int, epoch: int, first: int, *values: bytes) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 1, producer, epoch, first, 1 << 16)
    for number, value in enumerate(values):
        builder.append(number, 1_700_000_000_000, b"key", value, [])
    return bytes(builder.build())


def begun(broker: Broker) -> tuple[int, int]:
    """A producer with a transaction in which one record is written and an offset pending."""
    _, producer, epoch = broker.init(NAME)
    assert broker.add(NAME, producer, epoch, [PLACE, OFFSETS]) is Code.NONE
    assert broker.produce(NAME, PLACE, batch(producer, epoch, 0, b"1")) == (Code.NONE, 0)
    assert broker.commit_offsets(NAME, producer, epoch, {INPUT: 5}) is Code.NONE
    return producer, epoch


def settle(broker: Broker) -> None:
    for name in broker.due():
        while broker.write_marker(name):
            pass


def readable(broker: Broker) -> list[bytes | None]:
    return [record.value for record in broker.log(PLACE).committed().records]


def test_what_is_open_cannot_be_read_and_holds_the_stable_end() -> None:
    broker = Broker()
    begun(broker)
    broker.log(PLACE).append(Record("", 0, 0, 0, b"key", b"behind", ()))
    log = broker.log(PLACE)
    assert (log.stable_end, log.end, readable(broker), broker.offsets) == (0, 2, [], {})


@pytest.mark.parametrize(
    ("order", "between"),
    [([PLACE, OFFSETS], ([b"1"], {})), ([OFFSETS, PLACE], ([], {INPUT: 5}))],
    ids=["results first", "offsets first"],
)
def test_a_decision_is_answered_before_its_markers_are_written_one_after_the_other(
    order: list[TopicPartition], between: tuple[list[bytes], dict[TopicPartition, int]]
) -> None:
    broker = Broker()
    broker.marker_order = order
    producer, epoch = begun(broker)
    assert broker.end(NAME, producer, epoch, commit=True) is Code.NONE
    assert (readable(broker), broker.offsets) == ([], {})
    assert broker.add(NAME, producer, epoch, [PLACE]) is Code.CONCURRENT_TRANSACTIONS
    assert broker.write_marker(NAME)
    assert (readable(broker), broker.offsets) == between
    assert not broker.write_marker(NAME)
    assert (readable(broker), broker.offsets) == ([b"1"], {INPUT: 5})


def test_a_new_producer_aborts_what_the_last_one_left_open_and_fences_it() -> None:
    broker = Broker()
    producer, epoch = begun(broker)
    assert broker.init(NAME)[0] is Code.CONCURRENT_TRANSACTIONS
    settle(broker)
    assert broker.init(NAME)[0] is Code.NONE
    assert (readable(broker), broker.offsets) == ([], {})
    assert broker.end(NAME, producer, epoch, commit=True) is Code.INVALID_PRODUCER_EPOCH
    assert broker.produce(NAME, PLACE, batch(producer, epoch, 1, b"late"))[0] is Code.INVALID_PRODUCER_EPOCH


def test_a_new_producer_waits_for_what_the_last_one_has_decided() -> None:
    broker = Broker()
    producer, epoch = begun(broker)
    broker.end(NAME, producer, epoch, commit=True)
    assert broker.init(NAME)[0] is Code.CONCURRENT_TRANSACTIONS
    settle(broker)
    assert broker.init(NAME)[0] is Code.NONE
    assert (readable(broker), broker.offsets) == ([b"1"], {INPUT: 5})


def test_a_batch_that_comes_twice_is_written_once() -> None:
    broker = Broker()
    producer, epoch = begun(broker)
    assert broker.produce(NAME, PLACE, batch(producer, epoch, 0, b"1")) == (Code.NONE, 0)
    assert broker.log(PLACE).end == 1


def test_a_batch_that_comes_when_its_transaction_is_over_is_refused() -> None:
    broker = Broker()
    producer, epoch = begun(broker)
    broker.end(NAME, producer, epoch, commit=True)
    settle(broker)
    assert broker.produce(NAME, PLACE, batch(producer, epoch, 1, b"late"))[0] is Code.INVALID_TXN_STATE


def test_compaction_keeps_the_last_record_of_a_key_and_the_offsets() -> None:
    broker = Broker()
    producer, epoch = begun(broker)
    broker.produce(NAME, PLACE, batch(producer, epoch, 1, b"2"))
    broker.end(NAME, producer, epoch, commit=True)
    settle(broker)
    broker.log(PLACE).compact()
    fetched = broker.log(PLACE).committed()
    assert [(record.offset, record.value) for record in fetched.records] == [(1, b"2")]
    assert fetched.position == broker.log(PLACE).end == 3
