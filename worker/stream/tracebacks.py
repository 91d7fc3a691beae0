"""Where exceptions came from, without what they say: a text that is not the network's may quote a claim."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from worker.stream.errors import INFRASTRUCTURE

if TYPE_CHECKING:
    from collections.abc import Iterator


def traced(error: BaseException) -> str:
    """What Python prints of an exception, but for texts and notes: files, lines, functions and types."""
    return "".join(_frames(error, set())).rstrip("\n")


def named(error: BaseException) -> str:
    """An exception's type, with its text where that cannot quote a claim."""
    name = type(error).__qualname__
    return f"{name}: {error}" if isinstance(error, INFRASTRUCTURE) and str(error) else name


def _frames(error: BaseException, seen: set[int]) -> Iterator[str]:
    """Those that led to it come first, and its members last."""
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _frames(before, seen)
        yield "\nThis led to:\n\n"
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(error.__traceback__)
    yield f"{named(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for number, member in enumerate(error.exceptions, start=1):
            yield f"\nNumber {number} of {len(error.exceptions)}:\n\n"
            yield from _frames(member, seen)
