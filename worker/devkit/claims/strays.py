"""Events that fit their schema and cannot be accepted: about claims never seen, or at odds with what was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from worker.adjudication.claim import DOCUMENTED, EXPIRED, VOIDED
from worker.adjudication.decode import Reason
from worker.devkit.claims import Event
from worker.devkit.claims.draw import Draw


class Stray(NamedTuple):
    """An event, and the reason of its dead letter when it arrives after the events that it was made of."""

    event: Event
    reason: Reason


def one_of_each(name: str, original: Event) -> list[Stray]:
    """A stray event of each way, made of an original claim that comes before them."""
    return [way(f"{name}-{number}-stray", original) for number, way in enumerate(_WAYS)]


def stray(name: str, events: Sequence[Event], draw: Draw) -> Stray:
    """A stray event made of these events, an original claim among them, which come before it.

    ``name`` makes its ids its own.
    """
    originals = [event for event in events if event["data"].get("frequency_code") == "1"]
    return draw.one(_WAYS)(f"{name}-stray", draw.one(originals))


def _void_of_unseen(name: str, submitted: Event) -> Stray:
    return _of_unseen(name, submitted, VOIDED)


def _records_of_unseen(name: str, submitted: Event) -> Stray:
    documentation = {"documentation": {"immunosuppressed": False}}
    received = {"received_date": submitted["data"]["received_date"]}
    return _of_unseen(name, submitted, DOCUMENTED, **received, **documentation)


def _expiry_of_unseen(name: str, submitted: Event) -> Stray:
    return _of_unseen(name, submitted, EXPIRED, expired_date=submitted["data"]["received_date"])


def _replacement_of_unseen(name: str, submitted: Event) -> Stray:
    claim = submitted["data"] | {
        "claim_id": f"CLM-{name}",
        "frequency_code": "7",
        "original_claim_id": f"CLM-{name}-unseen",
    }
    return Stray(submitted | {"id": f"evt-{name}", "data": claim}, "unknown_claim")


def _same_event_id(_: str, submitted: Event) -> Stray:
    claim = submitted["data"] | {"place_of_service": "19"}
    return Stray(submitted | {"data": claim}, "id_conflict")


def _same_claim_id(name: str, submitted: Event) -> Stray:
    return Stray(submitted | {"id": f"evt-{name}"}, "contract")


def _of_unseen(name: str, submitted: Event, event_type: str, **data: object) -> Stray:
    about = {"claim_id": f"CLM-{name}-unseen", "member_id": submitted["data"]["member_id"]}
    event = submitted | {"id": f"evt-{name}", "type": event_type, "data": about | data}
    return Stray(event, "unknown_claim")


_WAYS = (
    _void_of_unseen,
    _records_of_unseen,
    _expiry_of_unseen,
    _replacement_of_unseen,
    _same_event_id,
    _same_claim_id,
)
