"""The lines of a file of events, in batches and in bounded memory."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.commands.faults import STANDARD_INPUT, FileError, naming

LONGEST_LINE_BYTES = MAX_VALUE_BYTES + len(b"\r\n")
"""The longest line that can hold an event, its end included; of a longer one only pieces are in memory."""


class Source:
    """A stream of lines. Errors are ``FileError`` with the name that the user gave."""

    def __init__(self, name: str, stream: BinaryIO) -> None:
        self.name = name
        self._stream = stream
        self._unread = False

    @property
    def size(self) -> int:
        """Bytes of a regular file, 0 of anything else."""
        status = os.fstat(self._stream.fileno())
        return status.st_size if stat.S_ISREG(status.st_mode) else 0

    def position(self) -> int:
        """Bytes of a regular file that have been read."""
        return self._stream.tell()

    def batches(self, most: int) -> Iterator[list[tuple[int, bytes]]]:
        """Lines with their numbers from 1 and their ends.

        A line that is too long is a batch of its own and only its beginning; ``too_long`` is true then, and
        ``rest`` is the remainder of it, which is skipped when nobody reads it.
        """
        with naming(self.name):
            batch: list[tuple[int, bytes]] = []
            for numbered in enumerate(iter(partial(self._stream.readline, LONGEST_LINE_BYTES), b""), 1):
                if _is_cut(numbered[1]):
                    if batch:
                        yield batch
                    self._unread = True
                    yield [numbered]
                    for _ in self.rest():
                        pass
                    batch = []
                    continue
                batch.append(numbered)
                if len(batch) == most:
                    yield batch
                    batch = []
            if batch:
                yield batch

    @property
    def too_long(self) -> bool:
        """Whether the batch at hand is the beginning of a line longer than an event may be."""
        return self._unread

    def rest(self) -> Iterator[bytes]:
        """The pieces of a line after its beginning, up to and with its end."""
        with naming(self.name):
            while self._unread:
                piece = self._stream.readline(LONGEST_LINE_BYTES)
                self._unread = _is_cut(piece)
                yield piece


def _is_cut(piece: bytes) -> bool:
    return len(piece) == LONGEST_LINE_BYTES and not piece.endswith(b"\n")


@contextmanager
def reading(file: str) -> Iterator[Source]:
    """The file, or standard input for ``-``."""
    if file != "-":
        with naming(file):
            stream = Path(file).open("rb")  # noqa: SIM115  closed below, where its errors keep their own names
        with stream:
            yield Source(file, stream)
    elif sys.stdin is None:
        raise FileError(f"{STANDARD_INPUT}: it is closed; name a file, or pipe one in")
    else:
        yield Source(STANDARD_INPUT, sys.stdin.buffer)
