"""Records that break the contract, each in one way: what the dead-letter topic is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import cycle

import orjson
from msgspec import Struct

from worker.adjudication.decode import Reason
from worker.devkit.claims import Event


class BadRecord(Struct, frozen=True):
    """A record's key and value, and the reason that its dead letter will have."""

    key: bytes
    value: bytes
    reason: Reason


def spoil(good: Iterable[Event], *, keys_too: bool) -> list[BadRecord]:
    """One bad record of each good event, the ways of being bad taken in turn.

    With ``keys_too`` also those whose fault is the key: a file, which has no keys, cannot show it.
    """
    ways = cycle([*_VALUE_FAULTS, _foreign_key] if keys_too else _VALUE_FAULTS)
    return [next(ways)(deepcopy(event)) for event in good]


def _key(event: Event) -> bytes:
    return str(event["data"]["member_id"]).encode()


def _cut_short(event: Event) -> BadRecord:
    return BadRecord(_key(event), orjson.dumps(event)[:-40], "undecodable")


def _unknown_type(event: Event) -> BadRecord:
    event["type"] = "mms.claim.mislaid.v1"
    return BadRecord(_key(event), orjson.dumps(event), "unknown_type")


def _no_units(event: Event) -> BadRecord:
    event["data"]["lines"][0]["units"] = 0
    return BadRecord(_key(event), orjson.dumps(event), "contract")


def _units_as_text(event: Event) -> BadRecord:
    event["data"]["lines"][0]["units"] = "1"
    return BadRecord(_key(event), orjson.dumps(event), "contract")


def _pointer_past_the_end(event: Event) -> BadRecord:
    event["data"]["lines"][0]["diagnosis_pointers"] = [12]
    event["data"]["diagnoses"] = event["data"]["diagnoses"][:1]
    return BadRecord(_key(event), orjson.dumps(event), "contract")


def _key_twice(event: Event) -> BadRecord:
    value = orjson.dumps(event).replace(b'"member_id"', b'"claim_id":"CLM-0","member_id"', 1)
    return BadRecord(_key(event), value, "contract")


def _foreign_key(event: Event) -> BadRecord:
    return BadRecord(_key(event) + b"-x", orjson.dumps(event), "key_mismatch")


_VALUE_FAULTS: tuple[Callable[[Event], BadRecord], ...] = (
    _cut_short,
    _unknown_type,
    _no_units,
    _units_as_text,
    _pointer_past_the_end,
    _key_twice,
)
