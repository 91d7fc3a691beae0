"""What nobody caught, told as any other log line."""

from __future__ import annotations

import structlog

from worker.stream.errors import told
from worker.stream.last_resorts import turn_to

log = structlog.get_logger()


def catch_the_rest() -> None:
    """Log exceptions of finalizers and threads, and warnings, by their types and places alone."""
    turn_to(
        lambda error: log.error("nobody caught an exception", error=told(error)),
        lambda what, error: log.error(what, error=told(error)),
        lambda category, place: log.warning("python warns", category=category, place=place),
    )
