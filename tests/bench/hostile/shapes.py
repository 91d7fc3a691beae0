"""Members who keep the contract and mean harm: each a stream of events that is as costly as it can be.

All are of one member. A shape makes events without end where it can; those who use it say how many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from itertools import count, cycle
from typing import Any, TypeAlias

import orjson

from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED

Json: TypeAlias = dict[str, Any]
Shape: TypeAlias = Callable[[], Iterator[bytes]]

MEMBER = "M" * 80
FIRST_DAY = date(2026, 4, 28)
LOOK_BACK = 400
LINES = 50
SMALL, LARGE = "1.0", "3.0"
"""Diameters of a lesion on the trunk: by the second alone surgery of it is necessary."""
CODES = (
    "17311",
    "17312",
    "17313",
    "17314",
    "17315",
    "88305",
    "88331",
    "88332",
    "11102",
    "12032",
    "14060",
    "99213",
)
"""Of every step of the decision: stages, their add-ons, pathology, biopsies, repairs, visits."""


def one_day() -> Iterator[bytes]:
    """Claims of 50 lines, of all kinds of procedures, on one day."""
    for number in count():
        yield submitted(number, [line(CODES[(number + place) % len(CODES)], place) for place in range(LINES)])


def own_days() -> Iterator[bytes]:
    """Claims of 50 lines, each on a day of its own; the look-back holds some four hundred of them."""
    for number in count():
        day = FIRST_DAY + timedelta(number)
        yield submitted(number, [line(CODES[place % len(CODES)], place, day) for place in range(LINES)])


def chains() -> Iterator[bytes]:
    """Claims whose 50 lines are on 50 days that follow each other: each day hangs on fifty others."""
    for number in count():
        first = FIRST_DAY + timedelta(number % LOOK_BACK)
        days = [first + timedelta(place) for place in range(LINES)]
        yield submitted(
            number, [line(CODES[place % len(CODES)], place, day) for place, day in enumerate(days)]
        )


def star(claims: int = 380) -> Iterator[bytes]:
    """Claims of one line of pathology on one day, and of 49 on old days that no other claim has.

    Then the decision on the surgery of that day turns again and again, and with it that on all its pathology.
    """
    yield submitted("S", [line("17311", 0)], documentation=facts(SMALL))
    for number in range(claims):
        days = [FIRST_DAY - timedelta(1 + number * 49 + place) for place in range(LINES - 1)]
        yield submitted(
            number,
            [
                line("88305", 0, units=1 + number),
                *(line("88305", place, day) for place, day in enumerate(days, 1)),
            ],
        )
    yield from turns()


def turns() -> Iterator[bytes]:
    """Records of the surgery by which it is necessary, and the next time not, again and again."""
    for number in count():
        yield records("S", number, facts(SMALL if number % 2 else LARGE))


def flips() -> Iterator[bytes]:
    """Surgery and 499 claims of pathology on one day; then records that turn the surgery's decision."""
    yield submitted("S", [line("17311", 0)], documentation=facts(SMALL))
    for number in range(499):
        yield submitted(number, [line("88305", 0, units=1 + number)])
    yield from turns()


def lapses() -> Iterator[bytes]:
    """Surgery that waits for records, of five hundred claims whose time for them runs out one by one."""
    for number in range(500):
        yield submitted(number, [line(CODES[number % 5], 0, units=1 + number)], documentation=facts(None))
    for number in range(500):
        yield expired(number)
    for number in count():
        yield records(number % 500, number, facts(SMALL if number % 1000 < 500 else LARGE))


def chain_of_replacements() -> Iterator[bytes]:
    """Each claim replaces the one before it."""
    for number in count():
        yield submitted(number, [line("17311", 0)], original=number - 1 if number else None)


def rival_replacements() -> Iterator[bytes]:
    """All claims replace the first."""
    for number in count():
        yield submitted(number, [line("17311", 0)], original=0 if number else None)


def voids() -> Iterator[bytes]:
    """Claims of 50 lines that are made void, each right after it came."""
    for number in count():
        yield submitted(number, [line("17311", place) for place in range(LINES)])
        yield event(VOIDED, f"void-{number}", {"claim_id": _id(number), "member_id": MEMBER})


def same_id() -> Iterator[bytes]:
    """One claim id, with other content each time."""
    for number in count():
        yield submitted("again", [line("17311", 0, charge=f"{number}.00")], event_id=f"again-{number}")


def small() -> Iterator[bytes]:
    """Claims of one line on one day."""
    for number in count():
        yield submitted(number, [line(CODES[number % len(CODES)], 0)])


def wordless() -> Iterator[bytes]:
    """Records that say nothing, for one claim of 50 lines."""
    yield submitted(0, [line("17311", place) for place in range(LINES)])
    for number in count():
        yield records(0, number, {})


def longest() -> Iterator[bytes]:
    """Claims with the most and the longest of all that the contract allows."""
    lesions = [
        {
            "lesion": f"{place:0>80}",
            "site": "nose",
            "histology": ["morpheaform"],
            "stages": [{"blocks": 99}] * 20,
        }
        for place in range(30)
    ]
    for number in count():
        lines = [
            line(code, place, lesion=f"{place % 30:0>80}", modifiers=["59", "XS", "25", "57"], units=9999)
            for place, code in zip(range(LINES), cycle(CODES), strict=False)
        ]
        yield submitted(
            f"{number:0>80}",
            lines,
            documentation={"lesions": lesions},
            diagnoses=["C44.311", *["Z85.828"] * 11],
        )


SHAPES: Mapping[str, Shape] = {
    "one day": one_day,
    "a day of its own each": own_days,
    "chains of days": chains,
    "days around one": star,
    "records that turn a day": flips,
    "records that never come": lapses,
    "a chain of replacements": chain_of_replacements,
    "replacements of one claim": rival_replacements,
    "voids": voids,
    "one claim id": same_id,
    "small claims on one day": small,
    "records that say nothing": wordless,
    "the longest of everything": longest,
}


def line(procedure: str, place: int, day: date = FIRST_DAY, **given: Any) -> Json:
    """A line of a claim, by its place from 0."""
    return {
        "line": place + 1, "procedure": procedure, "modifiers": [], "units": 1, "diagnosis_pointers": [1],
        "service_date": day.isoformat(), "charge": "100.00", "lesion": _lesion(0),
    } | given  # fmt: skip


def submitted(
    number: int | str, lines: list[Json], *, original: int | None = None, event_id: str = "", **given: Any
) -> bytes:
    """A claim that was submitted."""
    data = {
        "claim_id": _id(number), "member_id": MEMBER, "payer_id": "BCBSND",
        "frequency_code": "1" if original is None else "7", "received_date": "2026-05-04",
        "billing_provider": {"npi": "B", "tin": "T"}, "rendering_provider": {"npi": "N"},
        "diagnoses": ["C44.519"], "lines": lines,
    } | given  # fmt: skip
    if original is not None:
        data["original_claim_id"] = _id(original)
    return event(SUBMITTED, event_id or f"claim-{number}", data)


def records(number: int | str, which: int, documentation: Json) -> bytes:
    """Records for a claim; later ones are newer."""
    received = date(2026, 5, 5) + timedelta(which)
    data = {"claim_id": _id(number), "received_date": received.isoformat(), "documentation": documentation}
    return event(DOCUMENTED, f"records-{which}", {"member_id": MEMBER, **data})


def expired(number: int) -> bytes:
    """The end of the time for a claim's records."""
    data = {"claim_id": _id(number), "member_id": MEMBER, "expired_date": "2026-06-30"}
    return event(EXPIRED, f"expired-{number}", data)


def facts(diameter: str | None) -> Json:
    """Records of the first lesion, on the trunk, that settle all but its diameter, or that too."""
    lesion = {
        "lesion": _lesion(0), "site": "trunk", "diameter_cm": diameter, "borders": "well-defined",
        "recurrent": False, "incompletely_excised": False, "previously_irradiated": False,
        "rapid_growth": False, "high_risk_metastasis": False, "histology": ["nodular"],
        "direct_involvement": ["bone"],
    }  # fmt: skip
    return {"immunosuppressed": False, "lesions": [lesion]}


def event(kind: str, id_: str, data: Json) -> bytes:
    return orjson.dumps({"specversion": "1.0", "id": id_, "source": "/hostile", "type": kind, "data": data})


def _id(number: int | str) -> str:
    return f"C{number}" if isinstance(number, int) else number


def _lesion(place: int) -> str:
    return f"L{place}"
