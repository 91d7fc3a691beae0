"""Result records: CloudEvents in binary mode, on the partition and with the timestamp of their cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.stream.outgoing import Outgoing
from worker.stream.signature import SIGNATURE
from worker.stream.topics import HEADERS_BYTES, RESULT_BYTES
from worker.stream.traceparent import SAMPLED, TRACEPARENT, origin

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    from worker.adjudication import Result
    from worker.adjudication.claim import Event
    from worker.stream.signature import Sign

ADJUDICATED = "mms.claim.adjudicated.v1"
TRACEPARENT_BYTES = 1024
"""A longer ``traceparent`` (W3C Trace Context has 55) traces nothing, and is not copied."""
LARGEST = RESULT_BYTES - HEADERS_BYTES
"""Bytes of key, value and headers that a result record may have."""
HEADER_BYTES = 8 << 10
"""No header of a result, and no key, is larger: the longest is its source, of up to 1,024 characters."""


class ResultTooLarge(Exception):  # noqa: N818  reads as what it says
    """A result is larger than its topic takes: its claim has made the adjudication say too much."""


class ResultRecords:
    """Makes result records; ``source`` is their ``ce_source``, ``sign`` what signs them, if anything does."""

    def __init__(self, source: str, sign: Sign | None = None) -> None:
        self._sign = sign
        self._specversion = ("ce_specversion", b"1.0")
        self._last = (
            ("ce_source", source.encode()),
            ("ce_type", ADJUDICATED.encode()),
            ("content-type", b"application/json"),
        )

    def record(self, cause: ConsumerRecord, event: Event, result: Result, value: bytes) -> Outgoing:
        """The record of ``result``, whose encoding is ``value``, for the event that came in as ``cause``.

        Raises ResultTooLarge.
        """
        headers = [self._specversion, ("ce_id", result.result_id.encode()), *self._last]
        if event.time is not None:
            headers.append(("ce_time", event.time.encode()))
        if self._sign is not None:
            headers.append((SIGNATURE, self._sign(cause.key, value, cause.timestamp, headers)))
        if cause.headers:
            headers += [
                (name, trace)
                for name, trace in cause.headers
                if name == TRACEPARENT and len(trace or b"") <= TRACEPARENT_BYTES
            ]
        outgoing = Outgoing(cause.key, value, cause.timestamp, headers, cause.offset)
        # Most are far from the bound: adding up their headers would cost more than all the rest here.
        if len(value) + HEADER_BYTES * len(headers) > LARGEST and outgoing.size > LARGEST:
            raise ResultTooLarge
        return outgoing


def trace_of(result: Outgoing) -> str | None:
    """The trace id (32 hex digits) of a result's cause, if somebody has recorded that trace."""
    name, _ = result.headers[-1]  # where ``record`` puts it
    traced = origin(result.headers) if name == TRACEPARENT else None
    return f"{traced.trace_id:032x}" if traced is not None and traced.flags & SAMPLED else None
