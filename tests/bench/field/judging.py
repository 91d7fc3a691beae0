"""Whether a contestant has written what its input comes to: each byte of it, once, in its order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import orjson
from confluent_kafka import Message
from msgspec import Struct

from tests.bench.field.fold import Fold
from worker.stream.deciding import partition_of

DIGEST_BYTES = 16

Judged: TypeAlias = Literal["bytes", "causes"]
"""What is compared of somebody's results: all of each, or which event each answers."""


class Mark(NamedTuple):
    """A result record: digests of key and value and of its headers, and its timestamp in ms.

    Where causes alone are compared, the content is a digest of key and cause, and the headers are none.
    """

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
    is_of_causes: bool = False
    """Whether nothing but their causes was judged: that each event has one result, and on its partition."""

    @property
    def is_exact(self) -> bool:
        """Whether they are the fold's, but for timestamps."""
        return not (self.lost or self.twice or self.other or self.reordered or self.headers)

    def __str__(self) -> str:
        if self.is_exact:
            return (
                "causes alone" if self.is_of_causes else "exact" + (", but times" if self.timestamps else "")
            )
        faults = ("lost", "twice", "other", "reordered", "headers")
        said = ", ".join(f"{getattr(self, fault):,} {fault}" for fault in faults if getattr(self, fault))
        return f"{said}, by causes" if self.is_of_causes else said


class Oracle:
    """What records come to by the pure functions alone, by partition and in their order."""

    def __init__(self, records: Iterable[tuple[bytes, bytes, int]], partitions: int) -> None:
        """Fold the records, each a key, a value and a timestamp. Holds digests only."""
        fold, seen = Fold(), set()
        self._expected: dict[Judged, list[list[Mark]]] = {
            judged: [[] for _ in range(partitions)] for judged in get_args(Judged)
        }
        for key, value, timestamp in records:
            number = partition_of(key, partitions)
            event = orjson.loads(value)
            cause = cause_mark(key, event, timestamp)
            if cause.content not in seen:
                seen.add(cause.content)
                self._expected["causes"][number].append(cause)
            self._expected["bytes"][number] += [
                mark(key, answer.value, answer.headers, timestamp) for answer in fold.answer(key, value)
            ]

    def count(self, judged: Judged) -> int:
        """How many results there must be, of one that decides as the worker does or in its own way.

        In its own way it has one of each event that did not come before.
        """
        return sum(map(len, self._expected[judged]))

    def judge(self, judged: Judged, found: Results) -> Verdict:
        """Compare what was found; ``found`` was collected to be judged in this way."""
        return compared(self._expected[judged], found, judged)


def compared(expected: Sequence[Sequence[Mark]], found: Results, judged: Judged) -> Verdict:
    """How what was found differs from what is expected, both by partition."""
    whole = [Counter(one.content for one in marks) for marks in expected]
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
    if judged == "causes":
        return Verdict(found.count, lost, twice, other, 0, 0, 0, is_of_causes=True)
    pairs = list(zip(expected, found.marks, strict=True))
    return Verdict(
        results=found.count,
        lost=lost,
        twice=twice,
        other=other,
        reordered=0 if lost or twice or other else sum(map(_is_reordered, pairs)),
        headers=sum(_differing(pair, "headers") for pair in pairs),
        timestamps=sum(_differing(pair, "timestamp") for pair in pairs),
    )


def cause_mark(key: bytes, cause: Mapping[str, Any], timestamp: int) -> Mark:
    """What is held of a result of which the cause alone is compared. Raises KeyError when that has no id."""
    return Mark(_digest(orjson.dumps([cause["source"], cause["id"]]), key), b"", timestamp)


def mark(key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]], timestamp: int) -> Mark:
    """What is held of a result. The order of headers means nothing; some frameworks have their own."""
    named = b"".join(
        len(part).to_bytes(4) + part
        for name, content in sorted(headers)
        for part in (name.encode(), content or b"")
    )
    return Mark(_digest(value, key), _digest(named), timestamp)


def collected(records: Iterable[Message], partitions: int, judged: Judged) -> Results:
    """What is held of the records of a topic, to be judged in this way."""
    of = _mark_of_cause if judged == "causes" else _mark_of_all
    found = Results([[] for _ in range(partitions)], [[] for _ in range(partitions)])
    for record in records:
        number = record.partition()
        found.offsets[number].append(record.offset())
        found.marks[number].append(of(record))
    return found


def _mark_of_all(record: Message) -> Mark:
    return mark(record.key() or b"", record.value() or b"", record.headers() or (), record.timestamp()[1])


def _mark_of_cause(record: Message) -> Mark:
    """Its cause's; of a result that names none its own, which is no cause's."""
    try:
        return cause_mark(record.key() or b"", orjson.loads(record.value())["cause"], record.timestamp()[1])
    except (KeyError, TypeError, ValueError):
        return _mark_of_all(record)


def _digest(content: bytes, key: bytes = b"") -> bytes:
    return blake2b(content, key=key[:64], digest_size=DIGEST_BYTES).digest()


def _is_reordered(pair: tuple[Sequence[Mark], Sequence[Mark]]) -> bool:
    expected, found = pair
    return [one.content for one in expected] != [one.content for one in found]


def _differing(pair: tuple[Sequence[Mark], Sequence[Mark]], field: str) -> int:
    expected, found = pair
    wanted = {one.content: getattr(one, field) for one in expected}
    return sum(getattr(one, field) != wanted.get(one.content, getattr(one, field)) for one in found)
