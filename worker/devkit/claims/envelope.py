"""A claim's data and the CloudEvent around it, as a platform would write them."""

from __future__ import annotations

from typing import Any

from worker.devkit.claims import Event
from worker.devkit.claims.bill import Bill
from worker.devkit.claims.draw import Draw
from worker.devkit.claims.visit import Member

SOURCE = "/devkit/claims"


def event(event_id: str, event_type: str, day: str, data: dict[str, Any], draw: Draw) -> Event:
    """A structured-mode CloudEvent of a moment in that day's office hours."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": event_type,
        "time": f"{day}T{8 + draw.below(10):02d}:{draw.below(60):02d}:00Z",
        "datacontenttype": "application/json",
        "data": data,
    }


def claim(
    claim_id: str, member: Member, received: str, bill: Bill, records: dict[str, Any] | None
) -> dict[str, Any]:
    """An original claim with this bill; without ``records`` it has no ``documentation``."""
    data = {
        "claim_id": claim_id,
        "member_id": member.id,
        "payer_id": member.payer,
        "frequency_code": "1",
        "original_claim_id": None,
        "received_date": received,
        "billing_provider": {"npi": bill.practice.npi, "tin": bill.practice.tin},
        "rendering_provider": {"npi": bill.practice.npi},
        "place_of_service": "22" if bill.practice.facility else "11",
        "clia_number": bill.practice.clia,
        "diagnoses": bill.diagnoses,
        "lines": bill.lines,
    }
    if records is not None:
        data["documentation"] = records
    return data
