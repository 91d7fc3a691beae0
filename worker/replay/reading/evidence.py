"""What a replay reads: the events of a shard and the results that were published for them, in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from msgspec import DecodeError, Struct

UNREADABLE = (DecodeError, UnicodeError, RecursionError)
"""What reading foreign JSON raises, nested ever so deep."""


class EvidenceError(Exception):
    """What was given proves nothing: it is cut off, does not belong together, or cannot be read.

    The message is one line for a person: what is wrong, where, what to do. It quotes no field's value.
    """


class Record(Protocol):
    """A record of a topic, or a line of a file made to look like one. Kafka's own records are such."""

    @property
    def topic(self) -> str:
        """The topic; of a file its name."""

    @property
    def partition(self) -> int:
        """The partition; of a file the number of the shard."""

    @property
    def offset(self) -> int:
        """Its place in the partition; in files the number of the line, counted from 0 over all of them."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970; in a file that of the event's CloudEvents time, 0 where it has none."""

    @property
    def key(self) -> bytes | None:
        """The member id as bytes; in a file it is taken from the value."""

    @property
    def value(self) -> bytes | None:
        """The event or the result, byte for byte."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Kafka headers; none in a file."""


class Span(Struct, frozen=True, order=True):
    """Places from ``begin`` up to and without ``end``."""

    begin: int
    end: int


class Shard(Struct, frozen=True):
    """A part that is replayed by itself: a partition, or of files the members that fall to its number.

    ``events`` is all that there is up to where decisions can be told: replaying begins at its begin, since
    history has to be warmed up. ``window`` is the part of it whose decisions are compared. ``tail_end`` is
    where the events really end: those behind ``events.end`` only say which results are beyond the replay.
    """

    number: int
    events: Span
    window: Span
    tail_end: int
    results: Span
    times: Span | None = None
    """Of files: the window in milliseconds, where times were asked for. Lines need not be in order of time,
    so that each is asked; ``window`` is all of them then."""
    is_ordered: bool = True
    """Whether results are in the order of their events, as those of a partition are; files need not be."""

    def has(self, place: int, timestamp: int) -> bool:
        """Whether an event's decisions are compared."""
        return self.window.begin <= place < self.window.end and (
            self.times is None or self.times.begin <= timestamp < self.times.end
        )


class Evidence(Protocol):
    """Where the records of shards come from. Both streams give records in order, some at a time.

    They end at the end of the span, though records keep coming, and raise EvidenceError when the evidence
    is not there any more.
    """

    def events(self, shard: Shard, begin: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """Events at places from ``begin`` up to and without ``end``."""

    def results(self, shard: Shard, begin: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """Published results at places from ``begin`` up to and without ``end``."""

    def whole(self) -> Evidence | None:
        """The same as if all of it were shard 0; None where no record can have got into another shard.

        A record is in the shard of the member that it names: of files one whose member was changed is found
        here. Records of a topic are where they are.
        """
