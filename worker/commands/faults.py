"""What a person is told when a file or stream fails a command: one line that names what they gave."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, TextIO

STANDARD_INPUT, STANDARD_OUTPUT, STANDARD_ERROR = "standard input", "standard output", "standard error"


class FileError(Exception):
    """A file or stream cannot be read or written; the text is one line, its name first."""


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Errors of the system become a ``FileError`` of this name, but for a reader that has had enough."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(f"{name}: {error.strerror or error}") from error


def tell(text: str) -> None:
    """Say one line on standard error, nothing when it is closed; ``FileError`` when it cannot be written."""
    if sys.stderr is not None:  # print would say it on standard output then
        with naming(STANDARD_ERROR):
            print(text, file=sys.stderr)


def tell_if_heard(text: str) -> None:
    """Say one line on standard error; where it cannot be written, nothing else becomes of that."""
    try:
        tell(text)
    except (FileError, BrokenPipeError):
        _abandon(sys.stderr)


def exit_for(error: FileError) -> NoReturn:
    """End the command with exit code 2 and the error on standard error."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        abandon_standard_output()
    tell_if_heard(f"mms-worker: {error}")
    sys.exit(2)


def abandon_standard_output() -> None:
    """Drop what is still buffered for standard output: at exit it must neither fail again nor block."""
    _abandon(sys.stdout)


def _abandon(stream: TextIO | None) -> None:
    if stream is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
