"""Rows of a shard that differ, put aside until all shards are done."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from worker.replay.running.whole import PRIVATE
from worker.replay.telling.differences import Difference

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Difference)


class Rows:
    """The rows' file, open to write to its end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, rows: Sequence[Difference]) -> None:
        """Append rows; they are in the file when this returns."""
        data = memoryview(b"".join(_ENCODER.encode(row) + b"\n" for row in rows))
        while data:
            data = data[os.write(self._descriptor, data) :]

    def end(self) -> int:
        """Bytes of the file, now on the disk: what a checkpoint notes."""
        os.fsync(self._descriptor)
        return os.fstat(self._descriptor).st_size


@contextmanager
def writing_rows(path: Path, begin: int = 0) -> Iterator[Rows]:
    """Go on behind the first ``begin`` bytes; what a killed process wrote behind them is cut off."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)
    try:
        os.ftruncate(descriptor, begin)
        yield Rows(descriptor)
    finally:
        os.close(descriptor)


def reading_rows(path: Path) -> Iterator[Difference]:
    """The rows of a shard in the order in which they were written."""
    with path.open("rb") as lines:
        for line in lines:
            yield _DECODER.decode(line)
