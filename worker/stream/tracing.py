"""Traces, for those who want them: a span a batch, with a link to the trace of each of its records.

Off by default, and then OpenTelemetry is not even imported. A span says where a batch lies and how large it
is, and never anything of what its records hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from worker.stream.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord

    from worker.settings import Settings


class Tracing(Protocol):
    """Where finished batches are told. Neither method raises, nor waits for a network."""

    def batch(
        self, records: Sequence[ConsumerRecord], began_ns: int, error: BaseException | None = None
    ) -> None:
        """One span for a batch that was decided and committed, or failed with ``error``.

        ``records`` are of one partition, in order; ``began_ns`` is ``time.time_ns()`` when they were taken.
        """

    async def close(self) -> None:
        """Send what is buffered, for no longer than a second; call it once."""


class Off:
    """Traces nothing."""

    def batch(
        self, records: Sequence[ConsumerRecord], began_ns: int, error: BaseException | None = None
    ) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


def tracing_of(settings: Settings) -> Tracing:
    """What ``MMS_TRACES`` asks for; how it is done is said by the standard ``OTEL_`` variables.

    Raises Refused where OpenTelemetry is not installed, or one of those variables cannot be followed.
    """
    if settings.traces == "off":
        return Off()
    try:
        from worker.stream.spans import Spans  # noqa: PLC0415  an optional extra
    except ImportError as missing:
        raise Refused(
            f"MMS_TRACES={settings.traces} needs OpenTelemetry, which is not installed: "
            f"pip install 'mms-adjudication-worker[tracing]'"
        ) from missing
    return Spans(settings)
