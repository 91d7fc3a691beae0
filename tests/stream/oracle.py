"""The oracle: what records must come to, by the pure function alone, and whether a stream came to that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from aiokafka import ConsumerRecord

from tests.stream.streamkit import Input, Stream, placed
from worker.adjudication import Adjudicated, Limits, Rejected, adjudicate, decode, encode
from worker.reference import load_reference

reference = cache(load_reference)


class Answers(NamedTuple):
    """What the records of a partition come to, in their order."""

    results: list[tuple[bytes | None, bytes | None]]
    """Key and value of each: of a claim all its revisions, one after the other."""
    letters: list[tuple[int, str]]
    """Offset of the record and reason of each."""
    histories: dict[bytes, bytes]
    """Each member's history after the last record."""
    accepted: list[Adjudicated]
    """What each record came to that was not rejected."""


def answers(
    records: Iterable[Input], limits: Limits = Limits(), histories: dict[bytes, bytes] | None = None
) -> Iterator[tuple[int, Adjudicated | Rejected]]:
    """Adjudicate each record with what those of the same member before it have left.

    Gives the offset of each, counted from 0, and what it comes to. Holds each member's last history and
    nothing else, in ``histories`` where that is given.
    """
    left = {} if histories is None else histories
    for offset, record in enumerate(records):
        yield offset, answer_to(record, left, limits)


def answer_to(
    record: Input | ConsumerRecord, histories: dict[bytes, bytes], limits: Limits
) -> Adjudicated | Rejected:
    """Adjudicate a record with the histories that others have left, and leave its member's there."""
    event, key = decode(record.value, list(record.headers)), record.key or b""
    if isinstance(event, Rejected):
        return event
    answer = adjudicate(event, histories.get(key), reference(), limits)
    if isinstance(answer, Adjudicated) and answer.history is not None:
        histories[key] = answer.history
    return answer


def fold(records: Iterable[Input], limits: Limits = Limits()) -> Answers:
    """All that the records of a partition come to."""
    folded, given = Answers([], [], {}, []), list(records)
    for offset, answer in answers(given, limits, folded.histories):
        if isinstance(answer, Rejected):
            folded.letters.append((offset, answer.reason))
            continue
        folded.accepted.append(answer)
        folded.results.extend((given[offset].key or b"", encode(result)) for result in answer.results)
    return folded


def decided(*records: Input) -> list[bytes]:
    """The values of all results of some records."""
    return [value or b"" for _, value in fold(records).results]


async def assert_exactly_once(stream: Stream, records: Iterable[Input]) -> None:
    """What a stream has published and kept is what the oracle says, byte for byte and in its order."""
    results, letters, histories = await stream.results(), await stream.dead_letters(), await stream.restored()
    inputs = placed(records, stream.settings.partitions)
    for number in range(stream.settings.partitions):
        expected = fold(inputs[number])
        found = [(record.key, record.value) for record in results[number]]
        assert_same(found, expected.results, f"results of partition {number}")
        assert_same(list(map(letter_of, letters[number])), expected.letters, f"dead letters of {number}")
        assert_same(
            sorted(histories[number].items()),
            sorted(expected.histories.items()),
            f"histories of partition {number}",
        )


def assert_same(found: Sequence[object], expected: Sequence[object], what: str) -> None:
    """Two long lists are the same; of lists that are not, the first difference is enough to read."""
    for place, (one, other) in enumerate(zip(found, expected, strict=False)):
        assert one == other, f"{what}: at {place}"
    assert len(found) == len(expected), what


def letter_of(record: ConsumerRecord) -> tuple[int, str]:
    """What a dead letter says: the offset of its input record, and the reason."""
    headers = dict(record.headers)
    return int(headers["__streams.errors.offset"]), headers["mms.dlq.reason"].decode()
