"""Made-up claims, the same for the same seed: ``mms-worker devkit generate``.

The mix of codes, additional stages, units and charges follows the CMS public-use file of 2021; the rest is
assumed (``data/SOURCES.md``). Each event is a structured-mode CloudEvent. The first N of a longer stream are
the stream of N.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any

import orjson
from cyclopts import Parameter
from cyclopts.types import NonNegativeInt

from worker.adjudication.claim import SUBMITTED
from worker.devkit.claims import Event
from worker.devkit.claims import mix as mixes
from worker.devkit.claims.bad import BadRecord, spoil
from worker.devkit.claims.bill import Bill, bill_mohs, bill_other
from worker.devkit.claims.chart import documentation
from worker.devkit.claims.draw import Draw
from worker.devkit.claims.visit import DAYS, LAST_RECEIPT, PRACTICES, Member, practice, visit

SOURCE = "/devkit/claims"
REMEMBERED_MEMBERS = 50_000
"""Visits back to which a member can come again: bounds the memory of an endless stream."""
BAD_SEED = 7_919
"""Added to a seed for the claims that are spoiled, so that no good claim is among them."""


def events(count: int, seed: int) -> Iterator[Event]:
    """The first ``count`` events of the seed, as JSON-ready dicts; ``orjson.dumps`` makes the bytes."""
    return islice(_claims(seed), count)


def bad_records(count: int, seed: int, *, keys_too: bool = True) -> list[BadRecord]:
    """``count`` records that break the contract, each with the reason of its dead letter.

    Without ``keys_too`` every fault is in the value, as a file needs it.
    """
    return spoil(events(count, seed + BAD_SEED), keys_too=keys_too)


def generate(
    *,
    count: Annotated[NonNegativeInt, Parameter(help="how many claims")],
    seed: Annotated[int, Parameter(help="the same seed, the same claims")] = 7,
    out: Annotated[Path | None, Parameter(help="file to write; stdout when absent")] = None,
    bad: Annotated[NonNegativeInt, Parameter(help="how many bad records to add at the end")] = 0,
) -> None:
    """Write made-up claims as JSON Lines, one structured-mode CloudEvent a line."""
    records = chain(
        (orjson.dumps(event) for event in events(count, seed)),
        (record.value for record in bad_records(bad, seed, keys_too=False)),
    )
    try:
        with nullcontext(sys.stdout.buffer) if out is None else out.open("wb") as file:
            file.writelines(record + b"\n" for record in records)
            file.flush()
    except BrokenPipeError:  # the reader, `head` say, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.stderr.write(f"mms-worker: {out or 'standard output'}: {error.strerror}\n")
        raise SystemExit(2) from None


def _claims(seed: int) -> Iterator[Event]:
    mix = mixes.load()
    draw = Draw(seed)
    recent: list[Member] = []
    number = 0
    while True:
        number += 1
        member = _next_visitor(recent, f"MBR-{seed}-{number:07d}", mix, draw)
        if len(recent) < REMEMBERED_MEMBERS:
            recent.append(member)
        else:
            recent[number % REMEMBERED_MEMBERS] = member
        yield _event(f"{seed}-{number:07d}", member, mix, draw)


def _next_visitor(recent: list[Member], new_id: str, mix: mixes.Mix, draw: Draw) -> Member:
    """A new member, or one of recent visits again, on a later day: who came often comes more often."""
    last_service = len(DAYS) - LAST_RECEIPT
    if recent and not draw.chance(mix.assumed.new_member_chance):
        member = draw.one(recent)
        day = member.last_day + 7 + draw.below(200)
        if day < last_service:
            member.last_day = day
            return member
    day = draw.below(last_service)
    share = draw.random()
    place = int(PRACTICES * share * share)  # a few large practices, many small ones
    immunosuppressed = draw.chance(mix.assumed.truth.immunosuppressed)
    return Member(new_id, draw.pick(mix.payers), place, immunosuppressed, day)


def _event(suffix: str, member: Member, mix: mixes.Mix, draw: Draw) -> Event:
    day = member.last_day
    records = None
    if draw.chance(mix.assumed.non_mohs_chance):
        bill = bill_other(practice(member.practice, mix), day, mix, draw)
    else:
        seen = visit(member, day, mix, draw)
        bill = bill_mohs(seen, mix, draw)
        records = documentation(seen, bill.other_lesions, mix, draw)
    received = DAYS[day + 1 + draw.below(LAST_RECEIPT - 1)]
    return {
        "specversion": "1.0",
        "id": f"evt-{suffix}",
        "source": SOURCE,
        "type": SUBMITTED,
        "time": f"{received}T{8 + draw.below(10):02d}:{draw.below(60):02d}:00Z",
        "datacontenttype": "application/json",
        "data": _claim(f"CLM-{suffix}", member, received, bill, records),
    }


def _claim(
    claim_id: str, member: Member, received: str, bill: Bill, records: dict[str, Any] | None
) -> dict[str, Any]:
    claim = {
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
        claim["documentation"] = records
    return claim
