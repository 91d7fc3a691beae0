"""A record in either mode with any headers: null values, names twice, names that are not UTF-8, floods."""

from __future__ import annotations

from aiokafka import ConsumerRecord

from tests.fuzz.framing import record_of
from tests.fuzz.rejections import assert_says_no_value
from tests.fuzz.targets.decode import assert_sound
from worker.adjudication.claim import Event
from worker.adjudication.decode import Headers, Rejected
from worker.stream.deciding import event_of
from worker.stream.records import has_raw_name


def check(data: bytes) -> None:
    value, headers = record_of(data)
    assert_sound(value, headers)
    event = event_of(consumed(value, headers))
    if isinstance(event, Rejected):
        assert_says_no_value(event)
    assert isinstance(event, Event | Rejected)
    assert not (has_raw_name(headers) and isinstance(event, Event))


def consumed(value: bytes | None, headers: Headers, key: bytes | None = b"MBR-1") -> ConsumerRecord:
    """The record as a consumer has it."""
    return ConsumerRecord(
        "mms.claim-events.v1", 3, 17, 1_700_000_000_000, 0, key, value, None, 0, 0, tuple(headers)
    )
