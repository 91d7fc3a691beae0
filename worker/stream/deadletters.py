"""Dead letters: what could not be decided, as it came, with the reason beside it in headers.

Where dead letters are sealed their values are; key and headers are not, so that letters are still told apart
by those who hold no key.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import worker
from worker.adjudication.decode import Rejected
from worker.stream.outgoing import Outgoing
from worker.stream.sealing.closed import CannotOpen
from worker.stream.sealing.envelope import letter_place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from aiokafka import ConsumerRecord

    from worker.adjudication.decode import Headers
    from worker.stream.sealing.envelope import Place
    from worker.stream.sealing.opening import Opener
    from worker.stream.sealing.sealer import Sealer

PACKAGE = Path(worker.__file__).parent

ADDED = (
    "__streams.errors.exception",
    "__streams.errors.message",
    "__streams.errors.topic",
    "__streams.errors.partition",
    "__streams.errors.offset",
    "mms.dlq.reason",
    "mms.dlq.path",
)
"""The headers that a dead letter has behind those of its record: KIP-1034's and the worker's own."""
SEALED = "mms.dlq.sealed"
"""The header behind those of a letter whose value is sealed: the id of the key."""


def dead_letter(record: ConsumerRecord, rejected: Rejected, exception: str = "Rejected") -> Outgoing:
    """The input record byte for byte, with the headers ``ADDED`` in their order behind its own.

    ``exception`` is the name of the exception's type where there was one.
    """
    place = (record.topic, str(record.partition), str(record.offset))
    told = (exception, rejected.message, *place, rejected.reason, rejected.path)
    added = zip(ADDED, map(str.encode, told), strict=True)
    return Outgoing(record.key, record.value, record.timestamp, [*record.headers, *added], record.offset)


def sealed_letter(letter: Outgoing, sealer: Sealer, place: Place) -> Outgoing:
    """The dead letter with its value sealed, and a header that says with which key; one without stays so."""
    if letter.value is None:
        return letter
    header = (SEALED, sealer.key_id.encode())
    return letter._replace(
        value=sealer.seal(letter.value, place, letter.key), headers=[*letter.headers, header]
    )


def taken_apart(headers: Headers) -> tuple[Headers, Sequence[str]] | None:
    """The headers that a dead letter's record came with, and what ``ADDED`` say; None of a foreign record.

    The worker's own are the last ones, all of ``ADDED`` in exactly that order, and ``SEALED`` behind them or
    not. Headers of the same names before them came with the record (from a producer, or because the record is
    a dead letter that somebody has copied to the input) and are left as they are. Anything else was not
    written by ``dead_letter``.
    """
    if sealed_with(headers) is not None:
        headers = headers[:-1]
    own, added = headers[: -len(ADDED)], headers[-len(ADDED) :]
    texts = [value.decode(errors="replace") for _, value in added if value is not None]
    if tuple(name for name, _ in added) != ADDED or len(texts) < len(ADDED):
        return None
    return own, texts


def sealed_with(headers: Headers) -> str | None:
    """The id of the key that a dead letter's value is sealed with; None of a plain one."""
    if not headers or headers[-1][0] != SEALED:
        return None
    return (headers[-1][1] or b"").decode(errors="replace")


def opened(record: ConsumerRecord, opener: Opener) -> ConsumerRecord:
    """The dead letter as it would be if it had not been sealed. Raises CannotOpen."""
    if sealed_with(record.headers) is None:
        return record
    if record.value is None:
        raise CannotOpen("is marked as sealed and is null", "look who may write to the topic")
    _, value = opener.open(record.value, letter_place(record.topic, record.partition), record.key)
    return replace(record, value=value, headers=record.headers[:-1])


def cannot_open(record: ConsumerRecord, closed: CannotOpen) -> str:
    """Which dead letter cannot be opened, and why."""
    place = f"partition {record.partition} of {record.topic}"
    return f"{place}: the value of the dead letter at offset {record.offset} {closed}"


def internal_error(error: Exception) -> Rejected:
    """A bug: the type of the exception and its place. Never its text, which may quote the claim."""
    return Rejected("internal_error", "$", f"{type(error).__name__} at {_place(error.__traceback__)}")


def _place(traceback: TracebackType | None) -> str:
    """File, line and function of the innermost frame of the project's own."""
    place = "an unknown place"
    while traceback is not None:
        code = traceback.tb_frame.f_code
        path = PACKAGE.parent / code.co_filename  # which is relative where it was compiled
        if path.is_relative_to(PACKAGE):
            place = f"worker/{path.relative_to(PACKAGE)}:{traceback.tb_lineno} in {code.co_name}"
        traceback = traceback.tb_next
    return place
