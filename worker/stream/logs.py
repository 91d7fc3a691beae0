"""Logs: JSON lines in production, columns for a person on a terminal, every library's in the same form.

Of a claim a log line says at most its claim_id. Libraries that quote keys and values at debug level are kept
above it whatever the setting. Of an exception it says where and of what type; its text is told only where it
speaks of the network or a file, since any other may quote a claim.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING

import structlog

from worker.stream.tracebacks import named, traced
from worker.stream.uncaught import catch_the_rest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

    from worker.settings import Settings

SELDOM_S = 5.0
SELDOM: Mapping[str, float] = {"aiokafka": SELDOM_S, "opentelemetry": 60.0}
"""For how many seconds a library that repeats itself is not heard again with the same message."""

QUIET: Mapping[str, int] = {
    "aiokafka": logging.WARNING,
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "aiohttp": logging.WARNING,
    "asyncio": logging.WARNING,
    "opentelemetry": logging.WARNING,
    "opentelemetry.util.re": logging.CRITICAL,  # quotes OTEL_EXPORTER_OTLP_HEADERS, and those hold secrets
    "urllib3": logging.WARNING,
}


def configure_logs(settings: Settings) -> None:
    """Send the logs of this process to standard error, in the form and from the level of the settings."""
    level = getattr(logging, settings.log_level.upper())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendered(settings)],
        )
    )
    handler.addFilter(Seldom())
    handler.addFilter(_without_texts)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(level, least))
    catch_the_rest()


class Seldom(logging.Filter):
    """Lets a message of some libraries through now and then: without broker or collector they repeat it.

    ``now`` is a clock in seconds that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        pause = SELDOM.get(record.name.partition(".")[0])
        if pause is None:
            return True
        message, now = (record.name, str(record.msg)), self._now()
        if now - self._said.get(message, -pause) < pause:
            return False
        self._said[message] = now
        return True


def _rendered(settings: Settings) -> list[Processor]:
    for_people = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    renderer: Processor = structlog.processors.JSONRenderer()
    if for_people:
        # Anything but the plain form would print local variables, and those are claims.
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return [_without_contents, structlog.processors.ExceptionRenderer(_traceback), renderer]


def _without_texts(record: logging.LogRecord) -> bool:
    """Let a record pass whose exceptions, its message or arguments of it, have become their types' names."""
    if isinstance(record.msg, BaseException):
        record.msg = named(record.msg)
    if isinstance(record.args, tuple):
        record.args = tuple(_shown(value) for value in record.args)
    elif isinstance(record.args, Mapping):
        record.args = {name: _shown(value) for name, value in record.args.items()}
    return True


def _shown(value: object) -> object:
    """A value as a log tells it: of an exception the name, of bytes, which are a record's, how many."""
    if isinstance(value, BaseException):
        return named(value)
    return f"{len(value)} bytes" if isinstance(value, (bytes, bytearray)) else value


def _without_contents(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Name exceptions, count bytes, and cut what asyncio could not give to anyone off behind its sentence.

    What follows there, futures and arguments, shows claims.
    """
    for name in event.keys() - {"exc_info"}:
        event[name] = _shown(event[name])
    if event.get("logger") == "asyncio":
        event["event"] = str(event["event"]).partition("\n")[0].partition("(")[0]
    return event


def _traceback(exc_info: ExcInfo) -> str:
    return traced(exc_info[1])
