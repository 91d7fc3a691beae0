"""How a command ends whose exit code is a verdict: with that code, or with one that no verdict has."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker.commands.brokers import NOT_READ, exit_with, telling
from worker.commands.faults import STANDARD_OUTPUT, FileError, abandon_standard_output, naming, tell_if_heard

if TYPE_CHECKING:
    from collections.abc import Iterator

STOPPED = range(129, 129 + 64)
"""Exit codes of a command that a signal has stopped: 128 and the signal's number."""


@contextmanager
def judging() -> Iterator[None]:
    """A command at work. A fault of the program is told in a line and ends with 2, not with the code 1."""
    with telling():
        try:
            yield
        except FileError:
            raise
        except BrokenPipeError:  # there is no verdict yet, and nobody who reads why
            abandon_standard_output()
            sys.exit(NOT_READ)
        except Exception as error:  # noqa: BLE001  the command's edge: a traceback could show a claim
            from worker.stream.errors import told

            exit_with(f"this is a fault of the program, and no verdict: {told(error)}", NOT_READ)


@contextmanager
def telling_verdict() -> Iterator[None]:
    """What a person is told of a verdict. A reader that has had enough does not change it."""
    try:
        with naming(STANDARD_OUTPUT):
            yield
    except BrokenPipeError:
        abandon_standard_output()


@contextmanager
def told_if_stopped(what: str) -> Iterator[None]:
    """Say ``what`` where a signal ends this; it ends it without a word otherwise."""
    try:
        yield
    except SystemExit as ending:
        if ending.code in STOPPED:
            tell_if_heard(f"mms-worker: {what}")
        raise
