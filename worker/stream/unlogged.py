"""Python's last resorts in a process without logs: a command, and each process of a replay.

They print what nobody caught. Without this that is an exception's, a warning's or a future's text, and any of
these may quote a claim.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from worker.stream.last_resorts import turn_to

if TYPE_CHECKING:
    from typing import TextIO

    from structlog.typing import ExcInfo

_WITHHELD = "mms-worker: a fault of the program; its text is withheld, it may quote a claim"


def withhold_texts() -> None:
    """Have whatever nobody caught told on standard error by its type and place alone.

    ``worker.stream.logs.configure_logs`` puts log lines in place of it.
    """
    turn_to(
        lambda error: _say(f"{_traced(error)}\n{_WITHHELD}"),
        lambda what, error: _say(f"mms-worker: {what}\n{_traced(error)}"),
        lambda category, place: _say(f"mms-worker: python warns: {category} at {place}"),
    )
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


def _write_traced(file: TextIO, exc_info: ExcInfo) -> None:
    file.write(f"\n{_traced(exc_info[1])}")


def _traced(error: BaseException) -> str:
    from worker.stream.tracebacks import traced  # noqa: PLC0415  it loads aiokafka, which most commands do without

    return traced(error)


def _say(text: str) -> None:
    if sys.stderr is not None:
        print(text, file=sys.stderr)  # noqa: T201  there is no log
