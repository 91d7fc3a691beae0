"""How a replay has ended, for a Prometheus Pushgateway: the practice for jobs that end before a scrape."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker.commands.brokers import NOT_READ, exit_with
from worker.commands.faults import tell_if_heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.commands.replay_options import Given
    from worker.replay.output.summary import Summary

WITH_VERDICT = (0, 1)
COMPLETED = (*WITH_VERDICT, NOT_READ)
"""Exit codes that are pushed; the others are those of a run that was interrupted, and is gone on with."""


class Ending:
    """What a replay has found, once it is known."""

    summary: Summary | None = None

    def take(self, summary: Summary) -> None:
        """Hear what was found."""
        self.summary = summary


@contextmanager
def pushing(url: str | None, given: Given) -> Iterator[Ending]:
    """A replay whose end a gateway is told, if one is given; exit 2 at once where the address is none.

    A gateway that does not take it is told of in one line on standard error; the exit code stays.
    """
    ending, begun = Ending(), time.monotonic()
    if url is not None:
        _require_gateway(url)
    try:
        yield ending
    except SystemExit as exiting:
        if url is not None and exiting.code in COMPLETED:
            _push(url, given, int(exiting.code), time.monotonic() - begun, ending.summary)
        raise


def _require_gateway(url: str) -> None:
    from worker.replay.output.metrics import require_gateway

    try:
        require_gateway(url)
    except ValueError as error:
        exit_with(f"--push: {error}", NOT_READ)


def _push(url: str, given: Given, exit_code: int, seconds: float, summary: Summary | None) -> None:
    from worker.replay.output.metrics import Ended, PushError, push

    # A verdict that could not be told to the end is none for whoever waits for the exit code.
    counts = summary.counts if summary is not None and exit_code in WITH_VERDICT else None
    ended = Ended(exit_code, seconds, datetime.now(UTC), counts)
    try:
        push(url, _topic(given), ended)
    except PushError as error:
        tell_if_heard(f"mms-worker: warning: nothing was pushed to {url}: {error}")


def _topic(given: Given) -> str:
    """What the run is kept under. Raises PushError where the settings, which were refused, name no topic."""
    from worker.replay.output.metrics import FILES, PushError
    from worker.settings import InvalidSettings, load_settings

    if given.events or given.results:
        return FILES
    try:
        return load_settings(
            **({} if given.bootstrap is None else {"bootstrap_servers": given.bootstrap})
        ).input_topic
    except InvalidSettings as error:
        raise PushError("without valid settings it is not known for which topic") from error
