"""Made-up claims and member histories, the same for the same seed: ``mms-worker devkit generate``.

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
from typing import Annotated

import orjson
from cyclopts import Parameter
from cyclopts.types import NonNegativeInt, PositiveInt

from worker.adjudication.claim import SUBMITTED
from worker.devkit.claims import Event, envelope
from worker.devkit.claims import mix as mixes
from worker.devkit.claims.bad import BadRecord, spoil
from worker.devkit.claims.bill import bill_mohs, bill_other
from worker.devkit.claims.chart import documentation
from worker.devkit.claims.draw import Draw
from worker.devkit.claims.histories import stream
from worker.devkit.claims.visit import DAYS, LAST_RECEIPT, PRACTICES, Member, practice, visit

HISTORIES = "all kinds of events of members with many claims, not claims alone"
MEMBERS = "with --histories: how many members there are at most"
REMEMBERED_MEMBERS = 50_000
"""Visits back to which a member can come again: bounds the memory of an endless stream."""
BAD_SEED = 7_919
"""Added to a seed for the claims that are spoiled, so that no good claim is among them."""


def events(count: int, seed: int) -> Iterator[Event]:
    """The first ``count`` claims of the seed, as JSON-ready dicts; ``orjson.dumps`` makes the bytes."""
    return islice(_claims(seed), count)


def histories(count: int, seed: int, members: int | None = None, *, strays: bool = False) -> Iterator[Event]:
    """The first ``count`` events of the seed's member histories: claims, and what becomes of them.

    Claims of a member meet on a day of service, are billed twice, replaced or voided; records arrive, or the
    time for them runs out; events arrive twice (``data/history_mix.toml``). A claim comes before the events
    about it. ``members`` bounds how many members there are. With ``strays`` there are also events that become
    dead letters: about claims never seen (``unknown_claim``), with an event's id and other content
    (``id_conflict``), or with a claim id that is taken (``contract``); the others stay as they are.
    """
    return islice(stream(seed, members, strays=strays), count)


def bad_records(count: int, seed: int, *, keys_too: bool = True) -> list[BadRecord]:
    """``count`` records that break the contract, each with the reason of its dead letter.

    Without ``keys_too`` every fault is in the value, as a file needs it.
    """
    return spoil(events(count, seed + BAD_SEED), keys_too=keys_too)


def generate(
    *,
    count: Annotated[NonNegativeInt, Parameter(help="how many claims, or events of histories")],
    seed: Annotated[int, Parameter(help="the same seed, the same claims")] = 7,
    out: Annotated[Path | None, Parameter(help="file to write; stdout when absent")] = None,
    bad: Annotated[NonNegativeInt, Parameter(help="how many bad records to add at the end")] = 0,
    of_members: Annotated[bool, Parameter(name="--histories", help=HISTORIES, negative="")] = False,
    members: Annotated[PositiveInt | None, Parameter(help=MEMBERS)] = None,
) -> None:
    """Write made-up claims, or whole histories, as JSON Lines: one structured-mode CloudEvent a line."""
    if members is not None and not of_members:
        sys.stderr.write("mms-worker: --members bounds the members of --histories: give both\n")
        raise SystemExit(2)
    good = histories(count, seed, members) if of_members else events(count, seed)
    records = chain(
        (orjson.dumps(event) for event in good),
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
    data = envelope.claim(f"CLM-{suffix}", member, received, bill, records)
    return envelope.event(f"evt-{suffix}", SUBMITTED, received, data, draw)
