"""Dead letters: what could not be decided, as it came, with the reason beside it in headers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import worker
from worker.adjudication.decode import Rejected
from worker.stream.transaction import Outgoing

if TYPE_CHECKING:
    from types import TracebackType

    from aiokafka import ConsumerRecord

PACKAGE = Path(worker.__file__).parent


def dead_letter(record: ConsumerRecord, rejected: Rejected, exception: str = "Rejected") -> Outgoing:
    """The input record byte for byte, with the headers of KIP-1034 and the worker's own behind its headers.

    ``exception`` is the name of the exception's type where there was one.
    """
    added = {
        "__streams.errors.exception": exception,
        "__streams.errors.message": rejected.message,
        "__streams.errors.topic": record.topic,
        "__streams.errors.partition": str(record.partition),
        "__streams.errors.offset": str(record.offset),
        "mms.dlq.reason": rejected.reason,
        "mms.dlq.path": rejected.path,
    }
    headers = [*record.headers, *((name, text.encode()) for name, text in added.items())]
    return Outgoing(record.key, record.value, record.timestamp, headers, record.offset)


def internal_error(error: Exception) -> Rejected:
    """A bug: the type of the exception and its place. Never its text, which may quote the claim."""
    return Rejected("internal_error", "$", f"{type(error).__name__} at {_place(error.__traceback__)}")


def _place(traceback: TracebackType | None) -> str:
    """File, line and function of the innermost frame of the project's own."""
    place = "an unknown place"
    while traceback is not None:
        code = traceback.tb_frame.f_code
        path = Path(code.co_filename)
        if path.is_relative_to(PACKAGE):
            place = f"worker/{path.relative_to(PACKAGE)}:{traceback.tb_lineno} in {code.co_name}"
        traceback = traceback.tb_next
    return place
