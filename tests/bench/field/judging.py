"""Whether a contestant has written what its input comes to: each byte of it, once, in its order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Literal, NamedTuple, TypeAlias

import orjson
from confluent_kafka import Message
from msgspec import Struct

from tests.bench.field.fold import Fold
from worker.stream.deciding import partition_of

DIGEST_BYTES = 16

Judged: TypeAlias = Literal["bytes", "count"]
"""What is compared of somebody's results: all of each, or how many there are."""


class Mark(NamedTuple):
    """A result record: digests of key and value and of its headers, and its timestamp in ms."""

    content: bytes
    headers: bytes
    timestamp: int


class Results(NamedTuple):
    """The results that lie in a topic, by partition and in their order."""

    offsets: list[list[int]]
    marks: list[list[Mark]]

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self.offsets))


class Verdict(Struct):
    """How results differ from those of the fold."""

    results: int
    lost: int
    """Results that are missing."""
    twice: int
    """Those that are there more often than they should be."""
    other: int
    """Those that the fold has not at all."""
    reordered: int
    """Partitions that have the right ones in another order."""
    headers: int
    """Right results with other headers."""
    timestamps: int
    """Right results with another time than their cause has. Not every framework lets one be given."""
    is_count_only: bool = False
    """Whether nothing but their number was judged."""

    @property
    def is_exact(self) -> bool:
        """Whether they are the fold's, but for timestamps."""
        return not (self.lost or self.twice or self.other or self.reordered or self.headers)

    def __str__(self) -> str:
        if self.is_exact:
            return (
                "number alone" if self.is_count_only else "exact" + (", but times" if self.timestamps else "")
            )
        faults = ("lost", "twice", "other", "reordered", "headers")
        return ", ".join(f"{getattr(self, fault):,} {fault}" for fault in faults if getattr(self, fault))


class Oracle:
    """What records come to by the pure functions alone, by partition and in their order."""

    def __init__(self, records: Iterable[tuple[bytes, bytes, int]], partitions: int) -> None:
        """Fold the records, each a key, a value and a timestamp. Holds digests only."""
        fold, seen = Fold(), set()
        self._expected: list[list[Mark]] = [[] for _ in range(partitions)]
        for key, value, timestamp in records:
            event = orjson.loads(value)
            seen.add((key, event["source"], event["id"]))
            self._expected[partition_of(key, partitions)] += [
                mark(key, answer.value, answer.headers, timestamp) for answer in fold.answer(key, value)
            ]
        self._distinct = len(seen)

    def count(self, judged: Judged) -> int:
        """How many results there must be, of one that decides as the worker does or in its own way.

        In its own way it has one of each event that did not come before.
        """
        return self._distinct if judged == "count" else sum(map(len, self._expected))

    def judge(self, judged: Judged, found: Results) -> Verdict:
        """Compare what was found, or its number."""
        if judged == "bytes":
            return self._compared(found)
        missing = self._distinct - found.count
        return Verdict(found.count, max(0, missing), 0, max(0, -missing), 0, 0, 0, is_count_only=True)

    def _compared(self, found: Results) -> Verdict:
        whole = [Counter(one.content for one in marks) for marks in self._expected]
        there = [Counter(one.content for one in marks) for marks in found.marks]
        lost = sum((wanted - got).total() for wanted, got in zip(whole, there, strict=True))
        added = [got - wanted for wanted, got in zip(whole, there, strict=True)]
        other = sum(
            count
            for wanted, more in zip(whole, added, strict=True)
            for content, count in more.items()
            if content not in wanted
        )
        twice = sum(more.total() for more in added) - other
        pairs = list(zip(self._expected, found.marks, strict=True))
        return Verdict(
            results=found.count,
            lost=lost,
            twice=twice,
            other=other,
            reordered=0 if lost or twice or other else sum(map(_is_reordered, pairs)),
            headers=sum(_differing(pair, "headers") for pair in pairs),
            timestamps=sum(_differing(pair, "timestamp") for pair in pairs),
        )


def mark(key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]], timestamp: int) -> Mark:
    """What is held of a result. The order of headers means nothing; some frameworks have their own."""
    named = b"".join(
        len(part).to_bytes(4) + part
        for name, content in sorted(headers)
        for part in (name.encode(), content or b"")
    )
    return Mark(_digest(value, key), _digest(named), timestamp)


def collected(records: Iterable[Message], partitions: int) -> Results:
    """What is held of the records of a topic."""
    found = Results([[] for _ in range(partitions)], [[] for _ in range(partitions)])
    for record in records:
        number = record.partition()
        found.offsets[number].append(record.offset())
        found.marks[number].append(
            mark(record.key() or b"", record.value() or b"", record.headers() or (), record.timestamp()[1])
        )
    return found


def _digest(content: bytes, key: bytes = b"") -> bytes:
    return blake2b(content, key=key[:64], digest_size=DIGEST_BYTES).digest()


def _is_reordered(pair: tuple[list[Mark], list[Mark]]) -> bool:
    expected, found = pair
    return [one.content for one in expected] != [one.content for one in found]


def _differing(pair: tuple[list[Mark], list[Mark]], field: str) -> int:
    expected, found = pair
    wanted = {one.content: getattr(one, field) for one in expected}
    return sum(getattr(one, field) != wanted.get(one.content, getattr(one, field)) for one in found)
