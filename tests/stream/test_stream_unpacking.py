"""What a fetch has brought is unpacked as it is asked for, and gone when it is dropped."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from worker.stream.fetched import bound_what_is_unpacked
from worker.stream.records import ZSTD, RawName, Records
from worker.stream.unpacking import BoundedRecords

LARGE = bytes(1 << 20)
RECORDS = 15
SLACK = 3 * len(LARGE)


def batch(values: Sequence[bytes], *, raw: int | None = None) -> bytes:
    """One batch of a producer; the record ``raw`` has a header whose name is not UTF-8."""
    builder = _DefaultRecordBatchBuilderPy(2, ZSTD, 0, -1, -1, -1, 1 << 30)
    for offset, value in enumerate(values):
        name = RawName("\udcff") if offset == raw else "name"
        builder.append(offset, 1_700_000_000_000, b"key", value, [(name, b"")])
    return bytes(builder.build())


@contextmanager
def traced() -> Iterator[None]:
    """Count what is allocated, without a collector that frees some of it at moments of its own."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()
        gc.enable()


@pytest.mark.parametrize(("raw", "copies"), [(None, 1), (0, 4)], ids=["plain", "with-a-raw-name"])
def test_of_a_batch_that_is_being_read_no_record_is_made_that_was_not_asked_for(
    raw: int | None, copies: int
) -> None:
    fetched = batch([LARGE] * RECORDS, raw=raw)
    with traced():
        next(iter(BoundedRecords(Records(fetched)).next_batch()))
        _, most = tracemalloc.get_traced_memory()
    assert most < copies * RECORDS * len(LARGE) + SLACK


@pytest.mark.parametrize("raw", range(4))
def test_the_records_around_a_name_that_is_not_utf_8_come_once_and_in_order(raw: int) -> None:
    values = [b"0", b"1", b"2", b"3"]
    records = list(BoundedRecords(Records(batch(values, raw=raw))).next_batch())
    assert [record.value for record in records] == values
    assert [record.offset for record in records] == [0, 1, 2, 3]
    assert [type(name) is RawName for record in records for name, _ in record.headers] == [
        offset == raw for offset in range(4)
    ]


def test_a_fetch_that_is_dropped_half_read_is_freed_without_the_collector() -> None:
    bound_what_is_unpacked("in")
    fetched = batch([LARGE] * RECORDS)
    with traced():
        unread = fetcher.PartitionRecords(
            TopicPartition("in", 0), Records(fetched), [], 0, None, None, True, fetcher.READ_COMMITTED
        )
        assert next(unread).offset == 0
        del unread
        left, most = tracemalloc.get_traced_memory()
    assert left < SLACK
    assert most > RECORDS * len(LARGE)
