"""Python's last resorts in a process without logs: a command, and each process of a replay.

They print what nobody caught. Without this that is an exception's, a warning's or a future's text, and any of
these may quote a claim.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

    from structlog.typing import ExcInfo


def withhold_texts() -> None:
    """Have whatever nobody caught told on standard error by its type and place alone.

    ``worker.stream.logs.configure_logs`` puts log lines in place of it.
    """
    sys.excepthook = _of_main_thread
    sys.unraisablehook = _of_finalizer
    threading.excepthook = _of_thread
    warnings.showwarning = _of_warning
    if logging.lastResort is not None:  # what asyncio and other libraries log where nobody listens
        logging.lastResort.setFormatter(_Sentence())


def log_to_standard_error() -> None:
    """Keep log lines, as of a secret that was renewed, out of what a command prints.

    Without this structlog writes them to standard output where nothing has configured it.
    """
    import structlog  # noqa: PLC0415  most commands do without

    if not structlog.is_configured():
        plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_write_traced)
        structlog.configure(
            processors=[structlog.stdlib.add_log_level, plain],
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        )


class _Sentence(logging.Formatter):
    """A library's message up to the first thing that it quotes, and where its exceptions came from."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, BaseException):
            return f"mms-worker: {record.name}: {_traced(record.msg)}"
        sentence = str(record.msg).partition("\n")[0].partition("(")[0].partition("%")[0].rstrip(" :")
        error = record.exc_info[1] if record.exc_info else None
        return f"mms-worker: {record.name}: {sentence}" + (f"\n{_traced(error)}" if error else "")


def _of_main_thread(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    _say(f"{_traced(error)}\nmms-worker: a fault of the program; its text is withheld, it may quote a claim")


def _of_finalizer(raised: sys.UnraisableHookArgs) -> None:
    if raised.exc_value is not None:
        _say(f"mms-worker: a finalizer or callback raised\n{_traced(raised.exc_value)}")


def _of_thread(raised: threading.ExceptHookArgs) -> None:
    if raised.exc_value is not None and not isinstance(raised.exc_value, SystemExit):
        _say(f"mms-worker: a thread raised\n{_traced(raised.exc_value)}")


def _of_warning(  # as ``warnings`` calls it
    message: Warning | str,  # noqa: ARG001  it may quote a claim
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001  it is standard error
    line: str | None = None,  # noqa: ARG001  the place says it
) -> None:
    place = PurePath(*PurePath(filename).parts[-3:])
    _say(f"mms-worker: python warns: {category.__name__} at {place}:{lineno}")


def _write_traced(file: TextIO, exc_info: ExcInfo) -> None:
    file.write(f"\n{_traced(exc_info[1])}")


def _traced(error: BaseException) -> str:
    from worker.stream.tracebacks import traced  # noqa: PLC0415  it loads aiokafka, which most commands do without

    return traced(error)


def _say(text: str) -> None:
    if sys.stderr is not None:
        print(text, file=sys.stderr)  # noqa: T201  there is no log
