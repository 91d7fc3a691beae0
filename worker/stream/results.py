"""Result records: CloudEvents in binary mode, on the partition and with the timestamp of their cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.stream.transaction import Outgoing

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    from worker.adjudication import Result
    from worker.adjudication.claim import Event

ADJUDICATED = "mms.claim.adjudicated.v1"


class ResultRecords:
    """Makes result records; ``source`` is their ``ce_source``."""

    def __init__(self, source: str) -> None:
        self._first = (("ce_specversion", b"1.0"),)
        self._last = (
            ("ce_source", source.encode()),
            ("ce_type", ADJUDICATED.encode()),
            ("content-type", b"application/json"),
        )

    def record(self, cause: ConsumerRecord, event: Event, result: Result, value: bytes) -> Outgoing:
        """The record of ``result``, whose encoding is ``value``, for the event that came in as ``cause``."""
        headers = [*self._first, ("ce_id", result.result_id.encode()), *self._last]
        if event.time is not None:
            headers.append(("ce_time", event.time.encode()))
        headers += (header for header in cause.headers if header[0] == "traceparent")
        return Outgoing(cause.key, value, cause.timestamp, headers)
