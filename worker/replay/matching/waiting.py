"""Results that have not met their counterpart yet: names in memory, bytes on the disk.

Of two streams in one order next to nothing waits. Where much does, as when an hour of results is gone or
files are in another order, memory grows by half a kilobyte a result, and no pair is ever missed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct

from worker.adjudication.redacted import redacted


@redacted
class Expected(Struct):
    """A result that replaying gives, and the place of the event that brings it about."""

    place: int
    timestamp: int
    """Of the event, in milliseconds."""
    key: bytes | None
    value: bytes
    counts: bool
    """Whether it is of the window."""


@redacted
class Published(Struct):
    """A result that was published."""

    place: int
    timestamp: int
    key: bytes | None
    value: bytes
    names: tuple[str, ...]
    counts: bool
    """Whether the replay was in its window when it came along, which tells of one that has no event."""


_encode = msgspec.msgpack.Encoder().encode
_decode_expected = msgspec.msgpack.Decoder(Expected).decode
_decode_published = msgspec.msgpack.Decoder(Published).decode


@redacted
class Side(Struct):
    """One side's results that wait, by number; numbers grow with time."""

    held: dict[int, tuple[int, int]] = {}
    """Where in the file each lies: begin and end."""
    names: dict[int, tuple[int, ...]] = {}
    by_name: dict[int, list[int]] = {}

    def put(self, number: int, names: Sequence[str], span: tuple[int, int]) -> None:
        """Let one wait under its names."""
        short = tuple(map(hashed, names))
        self.held[number] = span
        self.names[number] = short
        for name in short:
            self.by_name.setdefault(name, []).append(number)

    def first(self, names: Sequence[str]) -> int | None:
        """The number of the first that waits under one of the names."""
        if not self.held:
            return None
        short = map(hashed, names)
        return next((self.by_name[name][0] for name in short if name in self.by_name), None)

    def drop(self, number: int) -> tuple[int, int]:
        """Let one wait no longer; where it lies."""
        for name in self.names.pop(number):
            numbers = self.by_name[name]
            numbers.remove(number)
            if not numbers:
                del self.by_name[name]
        return self.held.pop(number)


@redacted
class State(Struct):
    """All of it, as a checkpoint keeps it."""

    expected: Side
    published: Side
    last: int = 0
    end: int = 0
    """Bytes of the file."""


def nothing_waits() -> State:
    """The state at the beginning."""
    return State(Side(), Side())


def hashed(name: str) -> int:
    """A name in 64 bits: there may be many."""
    return int.from_bytes(blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest())


class Waiting:
    """What waits, with its file open."""

    def __init__(self, state: State, descriptor: int) -> None:
        self.state = state
        self._descriptor = descriptor

    def put_expected(self, one: Expected, names: Sequence[str]) -> None:
        """Let a result of the replay wait."""
        self._put(self.state.expected, names, _encode(one))

    def put_published(self, one: Published) -> None:
        """Let a published result wait."""
        self._put(self.state.published, one.names, _encode(one))

    def expected_as(self, names: Sequence[str]) -> Expected | None:
        """The first result of the replay under one of the names; it waits no longer."""
        number = self.state.expected.first(names)
        return None if number is None else self._expected(number)

    def published_as(self, names: Sequence[str]) -> Published | None:
        """The first published result under one of the names; it waits no longer."""
        number = self.state.published.first(names)
        return None if number is None else self._published(number)

    def rest_expected(self) -> Iterator[Expected]:
        """Take what is left, the oldest first."""
        for number in list(self.state.expected.held):
            yield self._expected(number)

    def rest_published(self) -> Iterator[Published]:
        """Take what is left, the oldest first."""
        for number in list(self.state.published.held):
            yield self._published(number)

    def published(self) -> Iterator[Published]:
        """What is left, which goes on waiting."""
        for begin, end in list(self.state.published.held.values()):
            yield _decode_published(os.pread(self._descriptor, end - begin, begin))

    def save(self) -> State:
        """The state, once all that it names is on the disk."""
        os.fsync(self._descriptor)
        return self.state

    def _put(self, side: Side, names: Sequence[str], data: bytes) -> None:
        begin = self.state.end
        self.state.end += os.pwrite(self._descriptor, data, begin)
        self.state.last += 1
        side.put(self.state.last, names, (begin, self.state.end))

    def _expected(self, number: int) -> Expected:
        begin, end = self.state.expected.drop(number)
        return _decode_expected(os.pread(self._descriptor, end - begin, begin))

    def _published(self, number: int) -> Published:
        begin, end = self.state.published.drop(number)
        return _decode_published(os.pread(self._descriptor, end - begin, begin))


@contextmanager
def waiting_in(path: Path, state: State) -> Iterator[Waiting]:
    """What waits, with its bytes in the file at ``path``."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield Waiting(state, descriptor)
    finally:
        os.close(descriptor)
