"""Archived topics as Parquet: whatever types a writer has chosen, the records are those of the topic."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from pyarrow import parquet

from worker.devkit.generator import events
from worker.replay.reading.archives import FileSource
from worker.replay.reading.evidence import EvidenceError, Record, Span
from worker.stream.records import RawName

EVENTS = [orjson.dumps(event) for event in events(1200, 3)]
MEMBERS = [orjson.loads(event)["data"]["member_id"].encode() for event in EVENTS]
HEADERS = [("ce_id", b"1"), ("none", None)]
STRUCTS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary()), ("other", pa.int8())]))

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str = "events.parquet", **columns: pa.Array) -> Path:
        parquet.write_table(pa.table(columns), tmp_path / name, compression="zstd", row_group_size=700)
        return tmp_path / name

    return written


async def records_of(*files: Path) -> list[Record]:
    source = FileSource(files)
    (shard,) = await source.shards()
    async with source.open() as evidence:
        return [record async for batch in evidence.events(shard, 0, shard.events.end) for record in batch]


@pytest.mark.parametrize(
    "values",
    [
        pa.array(EVENTS, pa.binary()),
        pa.array(EVENTS, pa.large_binary()),
        pa.array([event.decode() for event in EVENTS], pa.string()),
        pa.array([event.decode() for event in EVENTS], pa.large_string()),
        pa.array([event.decode() for event in EVENTS]).dictionary_encode(),
    ],
    ids=["binary", "large-binary", "string", "large-string", "dictionary"],
)
async def test_values_alone_are_enough(values: pa.Array, write: Write) -> None:
    records = await records_of(write(value=values, unknown=pa.array(range(len(EVENTS)))))
    assert [record.value for record in records] == EVENTS
    assert [record.key for record in records] == MEMBERS
    assert [record.offset for record in records] == list(range(len(EVENTS)))
    assert records[0].timestamp == int(
        datetime.fromisoformat(orjson.loads(EVENTS[0])["time"]).timestamp() * 1000
    )


@pytest.mark.parametrize(
    "timestamps",
    [
        pa.array([1_777_852_800_001, None]),
        pa.array([datetime(2026, 5, 4, 0, 0, 0, 1999, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
        pa.array([1_777_852_800_001_000_000, None], pa.timestamp("ns", "America/Chicago")),
        pa.array([datetime(2026, 5, 4, 0, 0, 0, 1000), None], pa.timestamp("ms")),  # noqa: DTZ001  UTC is meant
    ],
    ids=["milliseconds", "us", "ns-elsewhere", "no-zone"],
)
async def test_a_timestamp_is_milliseconds_or_a_time_and_else_that_of_the_event(
    timestamps: pa.Array, write: Write
) -> None:
    value = b'{"specversion":"1.0","time":"1970-01-01T00:00:07Z","data":{"member_id":"M"}}'
    records = await records_of(write(value=pa.array([value, value]), timestamp=timestamps))
    assert [record.timestamp for record in records] == [1_777_852_800_001, 7000]


@pytest.mark.parametrize(
    "headers",
    [
        pa.array([[{"key": name, "value": value} for name, value in HEADERS], [], None], STRUCTS),
        pa.array([HEADERS, [], None], pa.map_(pa.string(), pa.binary())),
        pa.array([HEADERS, [], None], pa.map_(pa.binary(), pa.string())),
    ],
    ids=["structs", "map", "map-of-binary"],
)
async def test_headers_are_a_map_or_structs(headers: pa.Array, write: Write) -> None:
    records = await records_of(write(value=pa.array([b"{}"] * 3), headers=headers))
    assert [list(record.headers) for record in records] == [HEADERS, [], []]


async def test_a_binary_mode_event_is_placed_by_its_member_and_timed_by_its_header(write: Write) -> None:
    headers = pa.array(
        [[(b"\xff", b""), (b"ce_time", b"1970-01-01T00:00:07Z")]], pa.map_(pa.binary(), pa.binary())
    )
    (record,) = await records_of(write(value=pa.array([b'{"member_id":"M"}']), headers=headers))
    assert (record.key, record.timestamp) == (b"M", 7000)
    assert [type(name) for name, _ in record.headers] == [RawName, str]


async def test_a_key_column_says_the_keys_and_null_is_none(write: Write) -> None:
    file = write(value=pa.array([EVENTS[0], None, EVENTS[1]]), key=pa.array([b"other", b"k", None]))
    records = await records_of(file)
    assert [(record.key, record.value) for record in records] == [
        (b"other", EVENTS[0]),
        (b"k", None),
        (None, EVENTS[1]),
    ]


def places(*pairs: tuple[int, int]) -> dict[str, pa.Array]:
    return {
        "value": pa.array([b"{}"] * len(pairs)),
        "partition": pa.array([partition for partition, _ in pairs], pa.int32()),
        "offset": pa.array([offset for _, offset in pairs]),
    }


async def test_rows_that_lay_in_order_are_numbered_anew_over_all_files(write: Write) -> None:
    first = write("1", **places((0, 0), (1, 0), (0, 1), (1, 4)))
    last = write("2", **places((1, 5), (0, 7)))
    assert [record.offset for record in await records_of(first, last)] == list(range(6))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([[(0, 0), (0, 2), (0, 1)]], "partition 0 has offset 1 behind offset 2"),
        ([[(0, 0), (1, 0)], [(1, 1), (0, 0)]], "partition 0 has offset 0 behind offset 0"),
        ([[(0, 0)], [(1, 7)]], "partition 1 begins at offset 7"),
    ],
)
async def test_files_out_of_order_or_without_the_beginning_are_refused(
    files: list[list[tuple[int, int]]], why: str, write: Write
) -> None:
    paths = [write(f"{number}.parquet", **places(*pairs)) for number, pairs in enumerate(files)]
    with pytest.raises(EvidenceError, match=why) as told:
        await records_of(*paths)
    assert str(told.value).startswith(f"{paths[-1]}: ")


async def test_results_may_begin_anywhere(write: Write) -> None:
    source = FileSource((write("events", **places((0, 0))),), (write("results", **places((0, 9))),))
    (shard,) = await source.shards()
    assert shard.results == Span(0, 1)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"event": pa.array([b"{}"])}, "no column value"),
        ({"value": pa.array([1])}, "column value is int64, and must be string or binary"),
        ({"value": pa.array([b"{}"]), "key": pa.array([1])}, "column key is int64"),
        ({"value": pa.array([b"{}"]), "timestamp": pa.array(["x"])}, "column timestamp is string"),
        ({"value": pa.array([b"{}"]), "headers": pa.array([["x"]])}, "column headers is list"),
        (
            {"value": pa.array([b"{}"]), "headers": pa.array([[{"name": "x", "value": b""}]])},
            "column headers is list",
        ),
        ({"value": pa.array([b"{}"]), "offset": pa.array(["0"])}, "column offset is string"),
    ],
)
async def test_columns_of_another_kind_are_refused_by_name(
    columns: dict[str, pa.Array], why: str, write: Write
) -> None:
    with pytest.raises(EvidenceError, match=why):
        await records_of(write(**columns))


async def test_a_damaged_page_is_told_without_its_content(write: Write) -> None:
    file = write(value=pa.array(EVENTS))
    content = bytearray(file.read_bytes())
    content[100:900] = b"\xff" * 800
    file.write_bytes(content)
    with pytest.raises(EvidenceError, match="damaged or cut off, as parquet; fetch the file anew"):
        await records_of(file)


@pytest.mark.parametrize("magic", [b"PAR1", b"\x28\xb5\x2f\xfd"])
async def test_without_pyarrow_the_extra_is_named(
    magic: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(magic)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EvidenceError, match=r"install mms-adjudication-worker\[replay\]"):
        await records_of(tmp_path / "file")
