"""What the input topic, as it was read, must come to: by the oracle alone, told apart by input record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiokafka import ConsumerRecord

from tests.stream.oracle import fold, letter_of
from worker.adjudication import Limits, Rejected, decode
from worker.settings import Settings
from worker.stream.deadletters import ADDED
from worker.stream.deciding import partition_of

KeyValue = tuple[bytes | None, bytes | None]


class Letter(NamedTuple):
    """A dead letter, as far as the input decides it: what came in, where, and why it was refused."""

    topic: str
    """Of the input record, as are partition, offset and timestamp."""
    partition: int
    offset: int
    timestamp: int
    reason: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    """Those that came in."""
    added: tuple[str, ...]
    """Names of those behind them, in their order."""


class Expected(NamedTuple):
    """What one partition must come to. The lists of offsets are of the input records that are answered."""

    results: list[KeyValue]
    causes: list[int]
    """Offset of the record that each result answers."""
    letters: list[Letter]
    histories: dict[bytes, bytes]
    """Each member's history after the last record."""


def expected(records: Sequence[ConsumerRecord], settings: Settings) -> Expected:
    """What the records of one partition, in their order, come to.

    The oracle knows no partitions and no foreign keys: a record that is not where its member belongs is kept
    from it, as the worker keeps it from the member's history.
    """
    misplaced = {record.offset for record in records if is_misplaced(record, settings)}
    decided = [record for record in records if record.offset not in misplaced]
    answers = fold(decided, Limits(*settings.limits))
    reasons = {decided[place].offset: reason for place, reason in answers.letters}
    reasons |= dict.fromkeys(misplaced, "key_mismatch")
    accepted = [record.offset for record in decided if record.offset not in reasons]
    counts = zip(accepted, answers.accepted, strict=True)
    causes = [offset for offset, answer in counts for _ in answer.results]
    letters = [
        expected_letter(record, reasons[record.offset]) for record in records if record.offset in reasons
    ]
    return Expected(answers.results, causes, letters, answers.histories)


def expected_letter(record: ConsumerRecord, reason: str) -> Letter:
    """The dead letter of an input record."""
    place = record.topic, record.partition, record.offset, record.timestamp
    return Letter(*place, reason, record.key, record.value, tuple(record.headers), ADDED)


def read_letter(record: ConsumerRecord, source: Mapping[int, ConsumerRecord]) -> Letter | None:
    """A dead letter as it was found; None if it says of no record of the input (by offset) that it is its.

    Of its headers those are the original's that stand in front, as many as the original has.
    """
    told = dict(record.headers)
    try:
        offset, reason = letter_of(record)
        topic = told["__streams.errors.topic"].decode()
        partition = int(told["__streams.errors.partition"])
        own = len(source[offset].headers)
    except (KeyError, ValueError):
        return None
    headers = tuple(record.headers)
    added = tuple(name for name, _ in headers[own:])
    place = topic, partition, offset, record.timestamp
    return Letter(*place, reason, record.key, record.value, headers[:own], added)


def is_misplaced(record: ConsumerRecord, settings: Settings) -> bool:
    """Whether it is an event that does not lie where its member belongs."""
    event = decode(record.value, list(record.headers))
    if isinstance(event, Rejected):
        return False
    key: bytes | None = record.key
    if key is None or key != event.data.member_id.encode():
        return True
    return settings.key_partition_check and partition_of(key, settings.partitions) != record.partition
