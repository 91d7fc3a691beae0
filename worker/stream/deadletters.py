"""Dead letters: what could not be decided, as it came, with the reason beside it in headers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import worker
from worker.adjudication.decode import Rejected
from worker.stream.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from aiokafka import ConsumerRecord

    from worker.adjudication.decode import Headers

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


def dead_letter(record: ConsumerRecord, rejected: Rejected, exception: str = "Rejected") -> Outgoing:
    """The input record byte for byte, with the headers ``ADDED`` in their order behind its own.

    ``exception`` is the name of the exception's type where there was one.
    """
    place = (record.topic, str(record.partition), str(record.offset))
    told = (exception, rejected.message, *place, rejected.reason, rejected.path)
    added = zip(ADDED, map(str.encode, told), strict=True)
    return Outgoing(record.key, record.value, record.timestamp, [*record.headers, *added], record.offset)


def taken_apart(headers: Headers) -> tuple[Headers, Sequence[str]] | None:
    """The headers that a dead letter's record came with, and what ``ADDED`` say; None of a foreign record.

    The worker's own are the last ones, all of ``ADDED`` in exactly that order. Headers of the same names
    before them came with the record (from a producer, or because the record is a dead letter that somebody
    has copied to the input) and are left as they are. Anything else was not written by ``dead_letter``.
    """
    own, added = headers[: -len(ADDED)], headers[-len(ADDED) :]
    texts = [value.decode(errors="replace") for _, value in added if value is not None]
    if tuple(name for name, _ in added) != ADDED or len(texts) < len(ADDED):
        return None
    return own, texts


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
