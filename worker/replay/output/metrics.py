"""Every metric of a replay, and their way to a Prometheus Pushgateway: it ends before it could be scraped.

Names and labels are a contract with dashboards and alerts, as those of a worker are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Final, NamedTuple, get_args
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Gauge, push_to_gateway

from worker.replay.telling.differences import Cause
from worker.replay.telling.outcome import Counts

if TYPE_CHECKING:
    from collections.abc import Mapping

JOB: Final = "mms-replay"
GROUPED_BY: Final = "topic"
"""Label by which the gateway keeps one run beside another: the last one of each topic is there."""
FILES: Final = "files"
"""What stands for the topic where archives were replayed: a path would be another group for each run."""
TIMEOUT_S: Final = 10.0
"""How long the gateway may keep the end of a replay waiting, for each answer of its."""
REPRODUCED: Final = "reproduced"
VERDICTS: Final = (REPRODUCED, *get_args(Cause))
"""Every value of the label ``verdict``."""


class PushError(Exception):
    """A gateway did not take what was pushed; the text is one line and says why."""


class Ended(NamedTuple):
    """How a replay has ended."""

    exit_code: int
    seconds: float
    """Time that it took, from the command's beginning."""
    at: datetime
    counts: Counts | None
    """What it found; None where there is no verdict. Such a run has not found zero differences."""


def registry_of(ended: Ended) -> CollectorRegistry:
    """The metrics of one run. Where there is a verdict each value of the label is there, zeros too."""
    registry = CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"mms_replay_{name}", text, labels, registry=registry)

    gauge("exit_code", "0: all reproduced. 1: something differs. 2: no verdict.").set(ended.exit_code)
    gauge("duration_seconds", "Time that the last run of the replay took.").set(ended.seconds)
    gauge("completed_timestamp_seconds", "Unix time at which the last run ended.").set(ended.at.timestamp())
    if ended.counts is not None:
        gauge("events", "Events replayed.").set(ended.counts.events_replayed)
        results = gauge("results", "Results compared, by what came of it.", "verdict")
        found = {REPRODUCED: ended.counts.reproduced, **ended.counts.results_by_cause}
        for verdict in VERDICTS:
            results.labels(verdict).set(found.get(verdict, 0))
    return registry


def families() -> Mapping[str, tuple[str, ...]]:
    """Names of all metrics with their labels in Prometheus, but for those of every target: job, instance."""
    whole = registry_of(Ended(0, 0.0, datetime.fromtimestamp(0, UTC), Counts()))
    return {family.name: (GROUPED_BY, *family.samples[0].labels) for family in whole.collect()}


def require_gateway(url: str) -> None:
    """Raise ValueError, with what is wrong with it, where ``url`` cannot be the address of a gateway.

    The text never repeats the address: a password may stand in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("its host or port is not valid") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("give http://host:port or https://host:port")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must not hold a user or a password: command lines are no secret")
    if parts.query or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("give no more than scheme, host, port and a path")


def push(gateway: str, topic: str, ended: Ended, timeout_s: float = TIMEOUT_S) -> None:
    """Replace all that the gateway holds of the last run of this topic. Raises PushError.

    All of it: what an earlier run found must not stand beside the exit code of one without a verdict.
    """
    try:
        push_to_gateway(gateway, JOB, registry_of(ended), {GROUPED_BY: topic}, timeout_s)
    except HTTPError as error:
        with error:
            raise PushError(f"it answered {error.code}{_phrase(error.code)}") from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a host that no DNS could have
        cause = error.reason if isinstance(error, URLError) else error
        raise PushError(_in_words(cause)) from error


def _phrase(code: int) -> str:
    try:
        return f" {HTTPStatus(code).phrase}"
    except ValueError:
        return ""


def _in_words(cause: BaseException | str) -> str:
    if isinstance(cause, TimeoutError):
        return "it did not answer in time"
    if isinstance(cause, HTTPException):
        return "it does not speak HTTP"
    text = cause.strerror if isinstance(cause, OSError) else str(cause)
    return text or type(cause).__name__
