"""Claims of a wanted shape: so many lines, of a kind, of a member, on a day. All are valid by the contract.

The generator draws what comes in practice; here one thing varies and all else stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import chain, cycle, islice
from typing import Any, Literal, TypeAlias

import orjson

from worker.adjudication.claim import MAX_LINES, SUBMITTED

Kind: TypeAlias = Literal["lesions of one day", "a lesion a day", "out of scope"]

FIRST_DAY = date(2025, 1, 6)
SITES = (("nose", "C44.311"), ("cheek", "C44.319"), ("forehead", "C44.319"), ("chin", "C44.319"))
"""Where lesions are, with the diagnosis of a basal-cell carcinoma there."""
MOHS_LINES = (
    ("17311", 1, "1250.00"),
    ("17312", 2, "1490.00"),
    ("13132", 1, "1520.00"),
    ("13133", 1, "420.00"),
)
"""Procedure, units and charge of a lesion's lines: two kinds of stages, then the repair."""
VISIT = ("99213", "155.00")
TESTS = (("80053", "25.00"), ("85025", "18.00"), ("93000", "40.00"))
"""Procedure and charge of what has nothing to do with surgery of the skin."""


def claim(kind: Kind, member: int, number: int, day: int = 0, lines: int = 4) -> bytes:
    """A structured-mode CloudEvent: the ``number``-th claim of a member, ``day`` days after the first day.

    For every four lines there is a documented lesion, unless they are out of scope. Raises ValueError for
    more lines than a claim may have.
    """
    if not 1 <= lines <= MAX_LINES:
        raise ValueError(f"a claim has 1 to {MAX_LINES} lines, not {lines}")
    served = FIRST_DAY + timedelta(days=day)
    received = served + timedelta(days=20)
    name = f"{member:06d}-{number:03d}"
    data = {
        "claim_id": f"CLM-{name}",
        "member_id": member_id(member),
        "payer_id": "PRAIRIE-HEALTH",
        "frequency_code": "1",
        "original_claim_id": None,
        "received_date": received.isoformat(),
        "billing_provider": {"npi": "9000000001", "tin": "000000001"},
        "rendering_provider": {"npi": "9000000019"},
        "place_of_service": "11",
        "clia_number": "00D0000000",
        **_billed(kind, member + number, served, lines),
    }
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"evt-{name}",
            "source": "/bench/scaling",
            "type": SUBMITTED,
            "time": f"{received}T14:05:00Z",
            "datacontenttype": "application/json",
            "data": data,
        }
    )


def member_id(member: int) -> str:
    """The id of a member, which is the key of the member's records."""
    return f"MBR-{member:06d}"


def _billed(kind: Kind, turn: int, served: date, count: int) -> Mapping[str, Any]:
    if kind == "out of scope":
        return _other(served, count)
    return _lesions(turn, served, count, timedelta(days=1 if kind == "a lesion a day" else 0))


def _lesions(turn: int, served: date, count: int, apart: timedelta) -> Mapping[str, Any]:
    """Lines of one lesion after the other, and the records of all; ``turn`` says where the first one is."""
    lesions = -(-count // len(MOHS_LINES))
    places = [SITES[(turn + number) % len(SITES)] for number in range(lesions)]
    diagnoses = list(dict.fromkeys(diagnosis for _, diagnosis in places))
    lines = [
        {
            "procedure": procedure,
            "modifiers": ["59"] if number and procedure == "17311" else [],
            "units": units,
            "diagnosis_pointers": [diagnoses.index(diagnosis) + 1],
            "service_date": (served + number * apart).isoformat(),
            "charge": charge,
            "lesion": f"L{number + 1}",
        }
        for number, (_, diagnosis) in enumerate(places)
        for procedure, units, charge in MOHS_LINES
    ]
    return {
        "diagnoses": diagnoses,
        "lines": [{"line": number, **line} for number, line in enumerate(islice(lines, count), 1)],
        "documentation": {
            "immunosuppressed": False,
            "lesions": [_documented(f"L{number}", site) for number, (site, _) in enumerate(places, 1)],
        },
    }


def _documented(lesion: str, site: str) -> Mapping[str, Any]:
    return {
        "lesion": lesion,
        "site": site,
        "laterality": "left",
        "diameter_cm": "1.4",
        "borders": "ill-defined",
        "recurrent": False,
        "incompletely_excised": False,
        "previously_irradiated": False,
        "rapid_growth": False,
        "high_risk_metastasis": False,
        "histology": ["nodular"],
        "direct_involvement": [],
        "stages": [{"blocks": 4}, {"blocks": 3}, {"blocks": 2}],
    }


def _other(served: date, count: int) -> Mapping[str, Any]:
    """A visit, and tests."""
    return {
        "diagnoses": ["L57.0"],
        "lines": [
            {
                "line": number,
                "procedure": procedure,
                "modifiers": [],
                "units": 1,
                "diagnosis_pointers": [1],
                "service_date": served.isoformat(),
                "charge": charge,
            }
            for number, (procedure, charge) in enumerate(islice(chain([VISIT], cycle(TESTS)), count), 1)
        ],
    }
