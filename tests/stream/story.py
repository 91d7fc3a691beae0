"""A member whose claims decide each other, as records."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from tests.stream.oracle import decided
from tests.stream.streamkit import Input, claims, partition

DAY_BEFORE = "2019-01-02"
"""A date of receipt before any that is generated."""


class Story(NamedTuple):
    """A claim that is paid · its twin, which takes its place: the first is denied · the end of the twin."""

    claim: Input
    twin: Input
    void: Input
    member: bytes
    claim_id: str


def stories(seed: int, count: int = 1, place: int | None = None) -> list[Story]:
    """Stories of different members; with ``place`` all of them on that partition."""
    paid = [
        record
        for record in claims(40 * count, seed)
        if place in {None, partition(record)} and outcomes(record) == ["pay"]
    ]
    first_of = {record.key: record for record in reversed(paid)}
    return [_story(record) for record in list(first_of.values())[:count]]


def outcomes(*records: Input) -> list[str]:
    """The outcomes that the oracle gives."""
    return [orjson.loads(value)["outcome"] for value in decided(*records)]


def changed(record: Input, **data: Any) -> Input:
    """The record with other data in its event."""
    event = orjson.loads(record.value or b"")
    event["data"] |= data
    return record._replace(value=orjson.dumps(event))


def _story(claim: Input) -> Story:
    event = orjson.loads(claim.value or b"")
    name = event["data"]["claim_id"]
    twin = event | {
        "id": f"{event['id']}-twin",
        "data": event["data"] | {"claim_id": f"{name}-twin", "received_date": DAY_BEFORE},
    }
    void = event | {
        "id": f"{event['id']}-void",
        "type": "mms.claim.voided.v1",
        "data": {"claim_id": f"{name}-twin", "member_id": event["data"]["member_id"]},
    }
    key = claim.key or b""
    return Story(claim, Input(key, orjson.dumps(twin)), Input(key, orjson.dumps(void)), key, name)
