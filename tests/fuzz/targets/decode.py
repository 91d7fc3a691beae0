"""A record's value alone, a whole CloudEvent in structured mode."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.contract.modes import ATTRIBUTES
from tests.fuzz.rejections import assert_says_no_value
from worker.adjudication.claim import Event
from worker.adjudication.decode import Headers, Rejected, decode


def check(data: bytes) -> None:
    assert_sound(data, ())


def assert_sound(value: bytes, headers: Headers) -> None:
    """An event that comes back the same in both modes, or a rejection that says no value. Nothing raises."""
    decoded = decode(value, headers)
    if isinstance(decoded, Rejected):
        assert_says_no_value(decoded)
        return
    assert isinstance(decoded, Event)
    assert decode(msgspec.json.encode(_whole(decoded))) == decoded
    assert decode(msgspec.json.encode(decoded.data), _as_headers(decoded)) == decoded


def _whole(event: Event) -> dict[str, Any]:
    return {"specversion": "1.0", **_attributes(event), "data": event.data}


def _as_headers(event: Event) -> Headers:
    return [("ce_specversion", b"1.0")] + [
        (f"ce_{name}", value.encode()) for name, value in _attributes(event).items()
    ]


def _attributes(event: Event) -> dict[str, str]:
    found = {name: getattr(event, name, None) for name in ATTRIBUTES}
    return {name: value for name, value in found.items() if value is not None}
