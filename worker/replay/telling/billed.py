"""What was billed on the lines of a claim: in its event, or in what is held of its member."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adjudication import Rejected, stored
from worker.adjudication.claim import Claim
from worker.adjudication.kept import unpack
from worker.stream.deciding import event_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.adjudication.claim import Line
    from worker.replay.reading.evidence import Record


def billed_lines(claim_id: str, record: Record | None, history: bytes | None) -> Mapping[int, Line]:
    """The lines of a claim by number; none where neither its event nor the history has its content."""
    if record is not None:
        event = event_of(record)
        if (
            not isinstance(event, Rejected)
            and isinstance(event.data, Claim)
            and event.data.claim_id == claim_id
        ):
            return {line.line: line for line in event.data.lines}
    if history is not None:
        for held in stored.read(history).claims:
            if held.claim_id == claim_id and held.body:
                return {line.line: line for line in unpack(held.body).lines}
    return {}


def cents(charge: str) -> int:
    """A charge in whole cents; the contract allows two places."""
    whole, _, part = charge.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or 0)
