"""Evidence from archived files: surveyed once, then read by every process, each taking what is its own."""

from __future__ import annotations

import asyncio
import stat
from contextlib import asynccontextmanager
from hashlib import file_digest
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.replay.reading import lines, parquet
from worker.replay.reading.archived import Line, Row, peek, timestamp, unwrapped
from worker.replay.reading.evidence import EvidenceError, Shard, Span
from worker.replay.reading.window import LARGEST, Bounds, Moment, Offset, Offsets, refuse_empty
from worker.stream.deciding import partition_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from worker.replay.reading.evidence import Evidence, Record
    from worker.replay.reading.window import Bound

MOST_RECORDS = 1000
"""Records that are handed on at once."""
LONGEST_RESULT_BYTES = 8 << 20
"""No result is so long: a topic of results does not take one."""

Role: TypeAlias = Literal["events", "results"]


class FileFacts(Struct, frozen=True):
    """A file as it was read."""

    role: Role
    name: str
    """As it was given."""
    bytes: int
    """As it is stored."""
    sha256: str
    """Over its bytes as they are stored."""
    lines: Span
    """Its place in the numbers of lines, which go on over the files of its role."""
    records: int
    """Lines that are not blank."""


class Survey(Struct, frozen=True):
    """The plan, and what was found while it was made."""

    files: tuple[FileFacts, ...]
    shards: tuple[Shard, ...]


class FileSource(Struct, frozen=True):
    """Files of events and of results in the order in which they are read. Can be sent to another process.

    A record is replayed in the shard that murmur2 of its member id names, of ``parts``; what has none that
    can be read, in shard 0. Its key is the member id, unless a Parquet file has keys.
    """

    event_files: tuple[Path, ...]
    result_files: tuple[Path, ...] = ()
    parts: int = 1
    bounds: Bounds = Bounds()

    async def shards(self) -> tuple[Shard, ...]:
        """The plan alone; see ``survey``."""
        return self.survey().shards

    def survey(self) -> Survey:
        """Read all files once, and plan. Raises EvidenceError for a file that proves nothing."""
        _refuse_repeated((*self.event_files, *self.result_files))
        window = _Window(self.bounds)
        files = [*_surveyed("events", self.event_files, window), *_surveyed("results", self.result_files)]
        ends = {file.role: file.lines.end for file in files}
        events, results = (Span(0, ends.get(role, 0)) for role in ("events", "results"))
        within = window.lines(events.end)
        shards = tuple(
            Shard(number, events, within, events.end, results, window.times, is_ordered=False)
            for number in range(self.parts)
        )
        return Survey(tuple(files), shards)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Evidence]:
        """The records, for one process."""
        yield _FileEvidence(self)


class _FileEvidence:
    def __init__(self, source: FileSource) -> None:
        self._source = source

    def events(self, shard: Shard, begin: int, end: int) -> AsyncIterator[Sequence[Record]]:
        return self._read("events", self._source.event_files, shard.number, Span(begin, end))

    def results(self, shard: Shard, begin: int, end: int) -> AsyncIterator[Sequence[Record]]:
        return self._read("results", self._source.result_files, shard.number, Span(begin, end))

    def whole(self) -> Evidence | None:
        return None if self._source.parts == 1 else _FileEvidence(replace(self._source, parts=1))

    async def _read(
        self, role: Role, files: Sequence[Path], number: int, span: Span
    ) -> AsyncIterator[Sequence[Record]]:
        for found in _own(role, files, number, self._source.parts, span):
            for first in range(0, len(found), MOST_RECORDS):
                yield found[first : first + MOST_RECORDS]
            await asyncio.sleep(0)  # nothing above waits for anything


def _own(role: Role, files: Sequence[Path], number: int, parts: int, span: Span) -> Iterator[list[Record]]:
    """The records of a shard, as far as they lie in ``span``; a list for every batch that was read."""
    if span.begin >= span.end:
        return
    place = 0
    for file in files:
        for batch in rows(role, file):
            first, place = place, place + len(batch)
            if place > span.begin:
                within = batch[max(0, span.begin - first) : max(0, span.end - first)]
                yield _records(role, file, within, max(first, span.begin), (number, parts))
            if place >= span.end:
                return
    if place < span.end:
        raise EvidenceError(
            f"{', '.join(map(str, files)) or 'no file'}: {place} lines of {role}, there were at least "
            f"{span.end} when the replay was planned; begin a new replay"
        )


def _records(
    role: Role, file: Path, batch: Sequence[Row | None], first: int, shard: tuple[int, int]
) -> list[Record]:
    number, parts = shard
    name = str(file)
    found: list[Record] = []
    for offset, row in enumerate(batch, first):
        if row is None:
            continue
        peeked = peek(row)
        member = peeked.member
        if (0 if member is None else partition_of(member, parts)) != number:
            continue
        value = row.value
        if peeked.is_wrapped and value is not None and role == "results":
            value = unwrapped(value)
        found.append(Line(name, number, offset, timestamp(row, peeked), member, value, row.headers))
    return found


def rows(role: Role, file: Path) -> Iterator[list[Row | None]]:
    """A file's rows, some at a time; None for a blank line. Raises EvidenceError.

    Of an event that is too long there is enough for a decoder to say so.
    """
    longest = MAX_VALUE_BYTES if role == "events" else LONGEST_RESULT_BYTES
    stored = lines.format_of(file)
    place = 0
    for batch in parquet.rows(file) if stored == "parquet" else lines.rows(file, stored, longest):
        if role == "results":
            for at, row in enumerate(batch, place + 1):
                if row is not None and len(row.value or b"") > longest:
                    raise EvidenceError(f"{file}: line {at} is longer than any result ({longest} bytes)")
        place += len(batch)
        yield batch


# ---- the survey


class _Window:
    """What of the events is asked for: lines, times, or both."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._first = self._line("--from", bounds.begin, 0)
        self._last = self._line("--to", bounds.end, LARGEST)
        self._is_met = False

    def look(self, batch: Sequence[Row | None], first: int) -> None:
        """See whether an event of it is among lines, of which the first has the number ``first``."""
        if self._is_met:
            return
        times = self.times
        for line, row in enumerate(batch, first):
            if row is None or not self._first <= line < self._last:
                continue
            if times is None or times.begin <= timestamp(row, peek(row)) < times.end:
                self._is_met = True
                return

    def lines(self, end: int) -> Span:
        """The lines, of ``end``. Raises EvidenceError if no event lies in the window."""
        refuse_empty(self._bounds, has_events=self._is_met)
        return Span(min(self._first, end), min(self._last, end))

    @property
    def times(self) -> Span | None:
        """From when to when, where that was asked for: lines need not be in order of time."""
        begin, end = self._bounds.begin, self._bounds.end
        if not isinstance(begin, Moment) and not isinstance(end, Moment):
            return None
        return Span(
            begin.ms if isinstance(begin, Moment) else -LARGEST,
            end.ms if isinstance(end, Moment) else LARGEST,
        )

    def _line(self, option: str, bound: Bound | None, without: int) -> int:
        if isinstance(bound, Offsets):
            raise EvidenceError(f"{option}: files have no partitions; give a time or the number of a line")
        return bound.offset if isinstance(bound, Offset) else without


class _Order:
    """Watches over the order of rows that say where they lay in their topic."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self._last: dict[int, int] = {}

    def check(self, file: Path, batch: Sequence[Row | None]) -> None:
        for row in batch:
            if row is None or row.origin is None:
                continue
            partition, offset = row.origin
            last = self._last.get(partition)
            if last is None and offset > 0 and self._role == "events":
                raise EvidenceError(
                    f"{file}: partition {partition} begins at offset {offset}; what came before is needed to "
                    "know its members' histories: give the files that hold it, before this one (or, if there "
                    "never was anything, leave the column offset out)"
                )
            if last is not None and offset <= last:
                raise EvidenceError(
                    f"{file}: partition {partition} has offset {offset} behind offset {last}; "
                    "give the files in their order, each once"
                )
            self._last[partition] = offset


def _surveyed(role: Role, files: Sequence[Path], window: _Window | None = None) -> Iterator[FileFacts]:
    place, order = 0, _Order(role)
    for file in files:
        with lines.reading(file), file.open("rb") as stream:
            sha256 = file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
        begin, records = place, 0
        for batch in rows(role, file):
            if window is not None:
                window.look(batch, place)
            order.check(file, batch)
            place += len(batch)
            records += len(batch) - batch.count(None)
        yield FileFacts(role, str(file), size, sha256, Span(begin, place), records)


def _refuse_repeated(files: Sequence[Path]) -> None:
    """Every file is read several times, and counts once."""
    seen: dict[tuple[int, int], Path] = {}
    for file in files:
        with lines.reading(file):
            status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise EvidenceError(f"{file}: it is no regular file, and has to be read more than once")
        first = seen.setdefault((status.st_dev, status.st_ino), file)
        if first is not file:
            raise EvidenceError(f"{file}: the same file as {first}, which is given already; give each once")
