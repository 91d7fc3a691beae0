"""Archived files as evidence: every format gives the same records, and what is damaged says so."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from worker.adjudication.decode import MAX_VALUE_BYTES, Rejected, decode
from worker.devkit.generator import events
from worker.replay.reading import lines as reading
from worker.replay.reading.archives import LONGEST_RESULT_BYTES, FileSource
from worker.replay.reading.evidence import EvidenceError, Record, Shard, Span
from worker.replay.reading.window import Bounds, bounds
from worker.stream.deciding import partition_of

EVENTS = [orjson.dumps(event) for event in events(40, 3)]
BARE = [b'{"result_id":"r%d","member_id":"MBR-%d", "outcome":"pay"}' % (n, n % 7) for n in range(30)]
WRAPPED = [
    b'{"specversion":"1.0","time":"2026-05-04T00:00:0%d.5Z","data": %s ,"x":{"data":1}}' % (n % 10, result)
    for n, result in enumerate(BARE)
]


def joined(values: Sequence[bytes], end: bytes = b"\n") -> bytes:
    return b"".join(value + end for value in values)


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


def event(member: str, time: str | None = None) -> bytes:
    return orjson.dumps({"specversion": "1.0", "time": time, "data": {"member_id": member}})


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def write(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


async def events_of(source: FileSource, shard: Shard) -> list[Record]:
    async with source.open() as evidence:
        batches = [batch async for batch in evidence.events(shard, shard.events.begin, shard.events.end)]
    assert all(0 < len(batch) <= 1000 for batch in batches)
    return [record for batch in batches for record in batch]


async def results_of(source: FileSource, shard: Shard) -> list[Record]:
    async with source.open() as evidence:
        span = shard.results
        return [record async for batch in evidence.results(shard, span.begin, span.end) for record in batch]


FORMATS: dict[str, Callable[[bytes], bytes]] = {
    "plain.jsonl": bytes,
    "packed.jsonl.gz": gzip.compress,
    "two-members.gz": lambda content: gzip.compress(content[:999]) + gzip.compress(content[999:]),
    "packed.jsonl.zst": zstd,
    "two-frames.zst": lambda content: zstd(content[:999]) + zstd(content[999:]),
    "skipped-frame-first.zst": lambda content: b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + zstd(content),
    "gzip-by-another-name.jsonl": gzip.compress,
    "zstd-by-another-name": zstd,
    "unpacked-on-the-way.gz": bytes,
    "no-end-of-line.jsonl": lambda content: content.removesuffix(b"\n"),
    "windows.jsonl": lambda content: content.replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("name", FORMATS)
async def test_every_format_gives_the_same_records(name: str, file: Callable[[str, bytes], Path]) -> None:
    stored = FORMATS[name](joined(EVENTS))
    source = FileSource((file(name, stored),))
    (shard,) = await source.shards()
    assert shard == Shard(0, Span(0, 40), Span(0, 40), 40, Span(0, 0), is_ordered=False)
    records = await events_of(source, shard)
    assert [record.value for record in records] == EVENTS
    assert [record.offset for record in records] == list(range(40))
    members = [orjson.loads(value)["data"]["member_id"].encode() for value in EVENTS]
    assert [record.key for record in records] == members
    assert {(record.topic, record.partition, tuple(record.headers)) for record in records} == {
        (str(source.event_files[0]), 0, ())
    }
    (facts,) = source.survey().files
    assert (facts.bytes, facts.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
    assert (facts.role, facts.lines, facts.records) == ("events", Span(0, 40), 40)


@pytest.mark.parametrize("block", [1, 7, 1000, 1 << 20])
async def test_where_blocks_end_makes_no_difference(
    block: int, file: Callable[[str, bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK_BYTES", block)
    content = b"\r\n" + joined(EVENTS[:3], b"\r\n") + b"  \t\n\n" + EVENTS[3]
    source = FileSource((file("events", content),))
    (shard,) = await source.shards()
    records = await events_of(source, shard)
    assert [(record.offset, record.value) for record in records] == [
        (1, EVENTS[0]),
        (2, EVENTS[1]),
        (3, EVENTS[2]),
        (6, EVENTS[3]),
    ]
    (facts,) = source.survey().files
    assert (facts.lines, facts.records) == (Span(0, 7), 4)


async def test_files_follow_each_other_in_the_order_given(file: Callable[[str, bytes], Path]) -> None:
    first, empty = file("z.jsonl", joined(EVENTS[:5]) + b"\n"), file("empty", b"")
    last = file("a.gz", gzip.compress(joined(EVENTS[5:9])))
    source = FileSource((first, empty, last))
    (shard,) = await source.shards()
    records = await events_of(source, shard)
    assert [record.value for record in records] == EVENTS[:9]
    assert [record.offset for record in records] == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    spans = [facts.lines for facts in source.survey().files]
    assert spans == [Span(0, 6), Span(6, 6), Span(6, 10)]


@pytest.mark.parametrize("parts", [1, 2, 5])
async def test_every_record_falls_to_the_shard_that_its_member_names(
    parts: int, file: Callable[[str, bytes], Path]
) -> None:
    junk = [
        b"{",
        b"[]",
        b'{"data":{}}',
        b'{"data":{"member_id":7}}',
        b'{"data":{"member_id":"\xff"}}',
        b"[" * 3000,
    ]
    source = FileSource(
        (file("events", joined(EVENTS[:20] + junk + EVENTS[20:])),), (file("results", joined(BARE)),), parts
    )
    source = pickle.loads(pickle.dumps(source))  # noqa: S301  as another process gets it
    shards = await source.shards()
    assert [shard.number for shard in shards] == list(range(parts))
    seen: list[tuple[int, bytes | None]] = []
    for shard in shards:
        for record in [*await events_of(source, shard), *await results_of(source, shard)]:
            assert record.partition == shard.number
            assert shard.number == (0 if record.key is None else partition_of(record.key, parts))
            seen.append((record.offset, record.value))
    assert sorted(seen) == sorted([*enumerate(EVENTS[:20] + junk + EVENTS[20:]), *enumerate(BARE)])


@pytest.mark.parametrize("values", [BARE, WRAPPED], ids=["bare", "wrapped"])
async def test_a_result_is_its_own_bytes_bare_or_in_a_cloud_event(
    values: Sequence[bytes], file: Callable[[str, bytes], Path]
) -> None:
    source = FileSource((file("events", joined(EVENTS)),), (file("results", joined(values)),))
    (shard,) = await source.shards()
    records = await results_of(source, shard)
    assert [record.value for record in records] == BARE
    assert records[3].key == b"MBR-3"
    assert records[3].timestamp == (1_777_852_803_500 if values is WRAPPED else 0)


@pytest.mark.parametrize(
    ("time", "ms"),
    [
        (None, 0),
        ("2026-05-04T00:00:00Z", 1_777_852_800_000),
        ("2026-05-04t02:00:00.0019z", 1_777_860_000_001),
        ("2026-05-04T02:00:00.123456789+02:00", 1_777_852_800_123),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("yesterday", 0),
        ("2026-05-04T00:00:00", 0),
    ],
)
async def test_the_timestamp_is_that_of_the_event(
    time: str | None, ms: int, file: Callable[[str, bytes], Path]
) -> None:
    source = FileSource((file("events", event("M", time)),))
    (shard,) = await source.shards()
    assert [record.timestamp for record in await events_of(source, shard)] == [ms]


@pytest.mark.parametrize(
    ("begin", "end", "window", "lines"),
    [
        (None, None, Span(0, 5), [0, 1, 2, 3, 4]),
        ("2", "4", Span(2, 4), [2, 3]),
        ("2", "400", Span(2, 5), [2, 3, 4]),
        ("2026-05-02", None, Span(0, 5), [1, 2, 3, 4]),
        ("2026-05-02T00:00:00.001Z", None, Span(0, 5), [2, 4]),
        ("2026-05-02", "2026-05-03", Span(0, 5), [1, 3]),
        ("2026-05-02", "2026-05-03T00:00:00.001Z", Span(0, 5), [1, 2, 3, 4]),
        (None, "2026-05-09", Span(0, 5), [0, 1, 2, 3, 4]),
        ("2", "2026-05-03", Span(2, 5), [3]),
    ],
)
async def test_a_window_is_lines_or_the_times_of_each_event_or_both(
    begin: str | None,
    end: str | None,
    window: Span,
    lines: list[int],
    file: Callable[[str, bytes], Path],
) -> None:
    days = ["2026-05-01", "2026-05-02", "2026-05-03", "2026-05-02", "2026-05-03"]
    content = joined([event("M", f"{day}T00:00:00Z") for day in days])
    source = FileSource((file("events", content),), parts=2, bounds=bounds(begin, end))
    for shard in await source.shards():
        assert (shard.events, shard.window, shard.tail_end) == (Span(0, 5), window, 5)
        records = await events_of(source, shard)
        assert [each.offset for each in records if shard.has(each.offset, each.timestamp)] == (
            lines if records else []
        )


@pytest.mark.parametrize(
    ("begin", "end", "why"),
    [
        ("9", None, "no event lies between"),
        ("2027-01-01", None, "no event lies between"),
        ("2", "2026-05-01", "no event lies between"),
        ("3", "3", "no event lies between"),
        ("0:1", None, "--from: files have no partitions"),
        (None, "0:1", "--to: files have no partitions"),
    ],
)
async def test_a_window_that_files_do_not_have_is_refused(
    begin: str | None, end: str | None, why: str, file: Callable[[str, bytes], Path]
) -> None:
    content = joined([event("M", "2026-05-01T00:00:00Z")] * 3)
    with pytest.raises(EvidenceError, match=why):
        await FileSource((file("events", content),), bounds=bounds(begin, end)).shards()


async def test_a_part_of_the_lines_is_that_part(file: Callable[[str, bytes], Path]) -> None:
    source = FileSource((file("a", joined(EVENTS[:7])), file("b", joined(EVENTS[7:]))), parts=1)
    (shard,) = await source.shards()
    async with source.open() as evidence:
        for begin, end in [(0, 7), (3, 20), (6, 8), (7, 40), (39, 40), (5, 5), (8, 3)]:
            found = [record async for batch in evidence.events(shard, begin, end) for record in batch]
            assert [record.value for record in found] == EVENTS[begin:end]
            assert [record.offset for record in found] == list(range(begin, end))


async def test_an_event_that_is_too_long_stays_too_long_whatever_its_length(
    file: Callable[[str, bytes], Path],
) -> None:
    pad = b'{"data":{"member_id":"M","x":"%s"}}'
    longest, longer, long = (
        pad % (b"x" * (size - len(pad) + 2)) for size in (1 << 20, (1 << 20) + 1, 5 << 20)
    )
    source = FileSource((file("events", joined([longest, longer, EVENTS[0], long, EVENTS[1]], b"\r\n")),))
    (shard,) = await source.shards()
    records = await events_of(source, shard)
    assert [record.value for record in records] == [
        longest,
        longer[: MAX_VALUE_BYTES + 1],
        EVENTS[0],
        long[: MAX_VALUE_BYTES + 1],
        EVENTS[1],
    ]
    reasons = [
        found.reason if isinstance(found := decode(record.value), Rejected) else "" for record in records
    ]
    assert reasons == ["contract", "too_large", "", "too_large", ""]


async def test_a_result_is_long_up_to_what_no_topic_takes(file: Callable[[str, bytes], Path]) -> None:
    pad = b'{"member_id":"M","x":"%s"}'
    longest = pad % (b"x" * (LONGEST_RESULT_BYTES - len(pad) + 2))
    source = FileSource((file("events", b""),), (file("results", joined([BARE[0], longest])),))
    (shard,) = await source.shards()
    assert [len(record.value or b"") for record in await results_of(source, shard)] == [len(BARE[0]), 8 << 20]
    source.result_files[0].write_bytes(joined([BARE[0], longest + b" "]))
    with pytest.raises(EvidenceError, match=r"results: line 2 is longer than any result"):
        await source.shards()


PACKED = gzip.compress(joined(EVENTS)), zstd(joined(EVENTS))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.gz", PACKED[0][:-9]),
        ("changed.gz", PACKED[0][:500] + b"\xff\xff" + PACKED[0][502:]),
        ("wrong-checksum.gz", PACKED[0][:-8] + b"\0" * 8),
        ("trailing.gz", PACKED[0] + b"and so on"),
        ("cut.zst", PACKED[1][:-9]),
        ("changed.zst", PACKED[1][:8] + b"\xff" * 3 + PACKED[1][11:]),
        ("trailing.zst", PACKED[1] + b"and so on"),
        ("head-lost.gz", PACKED[0][5:]),
        ("head-lost.zst", PACKED[1][5:]),
        ("magic-alone.parquet", b"PAR1"),
        ("empty.gz", b""),
    ],
)
async def test_a_damaged_file_says_which_and_what_to_do(
    name: str, content: bytes, file: Callable[[str, bytes], Path]
) -> None:
    with pytest.raises(EvidenceError, match="fetch the file anew, or make it again") as told:
        await FileSource((file(name, content),)).shards()
    assert str(told.value).startswith(f"{file(name, content)}: ")
    assert "\n" not in str(told.value)


def fifo(path: Path) -> Path:
    os.mkfifo(path / "fifo")
    return path / "fifo"


def linked(path: Path) -> Path:
    (path / "link").symlink_to(path / "events")
    return path / "link"


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda path: path / "missing", "missing: No such file or directory"),
        (lambda path: path, "no regular file"),
        (fifo, "no regular file"),
        (lambda path: path / "events", "give each once"),
        (linked, "give each once"),
    ],
)
@pytest.mark.parametrize("role", ["event_files", "result_files"])
async def test_a_file_that_cannot_be_evidence_is_refused(
    made: Callable[[Path], Path], why: str, role: str, tmp_path: Path, file: Callable[[str, bytes], Path]
) -> None:
    given: dict[str, Any] = {"event_files": (file("events", joined(EVENTS)),), "result_files": ()}
    given[role] += (made(tmp_path),)
    with pytest.raises(EvidenceError, match=why):
        await FileSource(**given).shards()


async def test_files_that_have_become_shorter_since_the_plan_are_refused(
    file: Callable[[str, bytes], Path],
) -> None:
    source = FileSource((file("events", joined(EVENTS)),), bounds=Bounds())
    (shard,) = await source.shards()
    file("events", joined(EVENTS[:-1]))
    with pytest.raises(EvidenceError, match="39 lines of events, there were at least 40"):
        await events_of(source, shard)
    file("events", joined(EVENTS + EVENTS))
    assert [record.value for record in await events_of(source, shard)] == EVENTS
