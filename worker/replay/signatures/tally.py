"""Counts what came of the signatures of a source of results: a part of a topic, or an archived file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from worker.replay.reading.archived import peek
from worker.replay.reading.archives import rows
from worker.replay.reading.evidence import EvidenceError
from worker.replay.reading.lines import format_of
from worker.replay.reading.parquet import column_names
from worker.replay.reading.window import LARGEST
from worker.replay.signatures.checking import checked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worker.replay.reading.archived import Row
    from worker.replay.reading.evidence import Record
    from worker.replay.signatures.checking import Fault, Headers
    from worker.replay.signatures.keys import Keys

PLACES = 5
"""So many faulty results are told with their place."""
CREATE_TIME = 0
NEEDED = ("headers", "timestamp")
"""Columns without which no signature can be checked. The key is the member id, which the value has too."""


class Place(NamedTuple):
    """Where a faulty result is."""

    fault: Fault
    where: str
    key_id: str | None


class Signatures:
    """What came of the results of a source so far."""

    def __init__(self, keys: Keys, since: int | None = None) -> None:
        """``since`` is from when on results have to be signed, in milliseconds since 1970; None is always."""
        self._keys = keys
        self._since = since
        self.signed: Counter[str] = Counter()
        """By the id of the key."""
        self.faulty: Counter[Fault] = Counter()
        self.places: list[Place] = []
        """Of the first that are faulty."""
        self.older = 0
        """Unsigned ones from before signing began."""
        self.is_timed_by_broker = False
        """Whether a faulty one has the time at which the broker got it: that was never signed."""

    def take(self, records: Sequence[Record]) -> None:
        """Check records of a topic."""
        for record in records:
            where = f"{record.topic}-{record.partition}-{record.offset}"
            if not self._take(record.key, record.value, record.timestamp, record.headers, where):
                self.is_timed_by_broker |= getattr(record, "timestamp_type", CREATE_TIME) != CREATE_TIME

    def take_row(self, row: Row, line: int) -> None:
        """Check a row of a file that has all columns of ``NEEDED``."""
        where = f"line {line}" if row.origin is None else "partition {} offset {}".format(*row.origin)
        # A row without a time is not what was signed, nor is it from before signing began.
        time = LARGEST if row.timestamp is None else row.timestamp
        self._take(peek(row).member, row.value, time, row.headers, where)

    def _take(
        self, key: bytes | None, value: bytes | None, timestamp: int, headers: Headers, where: str
    ) -> bool:
        fault, key_id = checked(key, value, timestamp, headers, self._keys)
        if fault is None:
            self.signed[key_id or ""] += 1
        elif fault == "unsigned" and self._since is not None and timestamp < self._since:
            self.older += 1
        else:
            self.faulty[fault] += 1
            if len(self.places) < PLACES:
                self.places.append(Place(fault, where, key_id))
            return False
        return True


def of_file(file: Path, signatures: Signatures) -> str | None:
    """Check all results of an archived file; in words why that cannot be, None where it could."""
    try:
        if format_of(file) != "parquet":
            return "lines of JSON keep no signatures; archive results as Parquet, with their headers"
        missing = [name for name in NEEDED if name not in column_names(file)]
        if missing:
            return f"it has no column {' and no '.join(missing)}: signatures need them"
        line = 0
        for batch in rows("results", file):
            for row in batch:
                line += 1
                if row is not None:
                    signatures.take_row(row, line)
    except EvidenceError as error:
        return str(error)
    return None
