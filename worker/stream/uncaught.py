"""What nobody caught, told as any other log line.

Python's own last resorts print an exception's or a warning's text, and that may quote a claim.
"""

from __future__ import annotations

import sys
import threading
import warnings
from pathlib import PurePath
from typing import TYPE_CHECKING

import structlog

from worker.stream.errors import told

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

log = structlog.get_logger()


def catch_the_rest() -> None:
    """Log exceptions of finalizers and threads, and warnings, by their types and places alone."""
    sys.excepthook = _of_main_thread
    sys.unraisablehook = _of_finalizer
    threading.excepthook = _of_thread
    warnings.showwarning = _of_warning


def _of_main_thread(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    log.error("nobody caught an exception", error=told(error))


def _of_finalizer(raised: sys.UnraisableHookArgs) -> None:
    if raised.exc_value is not None:
        log.error("a finalizer or callback raised", error=told(raised.exc_value))


def _of_thread(raised: threading.ExceptHookArgs) -> None:
    if raised.exc_value is not None:
        log.error("a thread raised", error=told(raised.exc_value))


def _of_warning(  # as ``warnings`` calls it
    message: Warning | str,  # noqa: ARG001  it may quote a claim
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001  the logs have theirs
    line: str | None = None,  # noqa: ARG001  the place says it
) -> None:
    place = PurePath(*PurePath(filename).parts[-3:])
    log.warning("python warns", category=category.__name__, place=f"{place}:{lineno}")
