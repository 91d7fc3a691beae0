"""The brokers in memory speak the second transaction protocol as Kafka's do (KIP-890)."""

from __future__ import annotations

from functools import partial

import pytest

from tests.lane.broker import OFFSETS, Broker, Code
from tests.lane.test_lane_broker import INPUT, NAME, PLACE, batch, readable, settle


def produced(broker: Broker, producer: int, epoch: int, first: int, value: bytes) -> Code:
    def begin(producer: int, epoch: int) -> Code:
        return broker.add(NAME, producer, epoch, [PLACE])

    code, _ = broker.produce(NAME, PLACE, batch(producer, epoch, first, value), begin)
    return code


def begun(broker: Broker) -> tuple[int, int]:
    """A producer with a transaction in which one record is written and an offset pending."""
    _, producer, epoch = broker.init(NAME)
    assert produced(broker, producer, epoch, 0, b"1") is Code.NONE
    assert broker.add(NAME, producer, epoch, [OFFSETS]) is Code.NONE
    assert broker.commit_offsets(NAME, producer, epoch, {INPUT: 5}) is Code.NONE
    return producer, epoch


def test_an_end_raises_the_epoch_and_says_so_as_often_as_it_is_asked() -> None:
    broker = Broker()
    producer, epoch = begun(broker)
    end = partial(broker.end_second, NAME, producer, epoch, commit=True)
    assert end() == (Code.NONE, epoch + 1)
    assert end() == (Code.CONCURRENT_TRANSACTIONS, -1)
    settle(broker)
    assert end() == (Code.NONE, epoch + 1)
    assert (readable(broker), broker.offsets) == ([b"1"], {INPUT: 5})


def test_what_comes_next_waits_for_the_markers_of_the_last_transaction_and_does_not_join_it() -> None:
    broker = Broker()
    producer, epoch = begun(broker)
    broker.end_second(NAME, producer, epoch, commit=True)
    assert produced(broker, producer, epoch + 1, 0, b"2") is Code.CONCURRENT_TRANSACTIONS
    settle(broker)
    assert produced(broker, producer, epoch + 1, 0, b"2") is Code.NONE
    assert readable(broker) == [b"1"]


def test_a_batch_that_comes_when_its_transaction_is_over_is_refused() -> None:
    broker = Broker()
    producer, epoch = begun(broker)
    broker.end_second(NAME, producer, epoch, commit=True)
    settle(broker)
    assert produced(broker, producer, epoch, 1, b"late") is Code.INVALID_PRODUCER_EPOCH


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_new_producer_fences_the_last_one_whose_end_comes_late(is_settled: bool) -> None:
    broker = Broker()
    producer, epoch = begun(broker)
    assert broker.init(NAME)[0] is Code.CONCURRENT_TRANSACTIONS
    if is_settled:
        settle(broker)
        assert broker.init(NAME)[0] is Code.NONE
    assert broker.end_second(NAME, producer, epoch, commit=True) == (Code.PRODUCER_FENCED, -1)
    assert (readable(broker), broker.offsets) == ([], {})
