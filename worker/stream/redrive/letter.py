"""A dead letter as it is read back: where it came from and why, without anything of its content."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from worker.adjudication.redacted import redacted
from worker.stream.deadletters import sealed_with, taken_apart

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    from worker.settings import Settings


@redacted
class Why(NamedTuple):
    """What the worker wrote behind a record's headers when it set the record aside."""

    exception: str
    message: str
    topic: str
    partition: int
    offset: int
    """Topic, partition and offset are those of the input record."""
    reason: str
    path: str


@redacted
class Letter(NamedTuple):
    """A record of the dead-letter topic; its ``timestamp`` is the input record's, in milliseconds."""

    partition: int
    offset: int
    timestamp: int
    why: Why | None
    """None of a record that no worker has set aside: it lacks the headers, or they do not end it."""
    sealed_with: str | None = None
    """Id of the key that its value is sealed with; None of a plain one."""


def letter_of(record: ConsumerRecord) -> Letter:
    """What a record of the dead-letter topic tells of itself."""
    why = _why(record)
    key_id = None if why is None else sealed_with(record.headers)
    return Letter(record.partition, record.offset, record.timestamp, why, key_id)


def _why(record: ConsumerRecord) -> Why | None:
    apart = taken_apart(record.headers)
    if apart is None:
        return None
    exception, message, topic, partition, offset, reason, path = apart[1]
    if not (_is_number(partition) and _is_number(offset)):
        return None
    return Why(exception, message, topic, int(partition), int(offset), reason, path)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20


def fault_of(letter: Letter, settings: Settings) -> str | None:
    """Why a letter cannot be redriven, in words; None if it can.

    A dead letter lies on the partition number that its record came in on, and goes back there: on another
    one its member's history would not be found.
    """
    if letter.why is None:
        return "it is no dead letter of this worker: the error headers are not its last ones"
    if letter.why.partition != letter.partition:
        return f"its headers say that it came from partition {letter.why.partition}"
    if letter.why.topic != settings.input_topic:
        return f"it did not come from {settings.input_topic} (MMS_INPUT_TOPIC)"
    return None
