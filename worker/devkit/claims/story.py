"""A visit's story: its claims, and what becomes of each, every event with the moment at which it arrives."""

from __future__ import annotations

from typing import Any, NamedTuple

from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED
from worker.devkit.claims import Event, envelope
from worker.devkit.claims.beside import Billed, billed_apart, move_add_ons
from worker.devkit.claims.bill import bill_mohs, bill_other
from worker.devkit.claims.chart import are_wanting, documentation, later_records
from worker.devkit.claims.corrections import at_another_charge, corrected
from worker.devkit.claims.draw import Draw
from worker.devkit.claims.history_mix import HistoryMix
from worker.devkit.claims.mix import Mix
from worker.devkit.claims.visit import DAYS, LAST_RECEIPT, Member, Visit, practice, visit

GENERATIONS = 3
"""A claim, what replaces or repeats it, and what replaces or repeats that."""


class Happening(NamedTuple):
    """An event and when it arrives, in lengths of a story after the story's beginning."""

    at: float
    event: Event


class Held(NamedTuple):
    """A claim that was submitted. ``received`` counts days as ``DAYS`` does, ``at`` as a happening does."""

    data: dict[str, Any]
    visit: Visit | None
    received: int
    at: float
    generation: int


class Story:
    """What one visit brings, in the order in which it comes to be: each claim before the events about it.

    The claims themselves arrive in any order, whatever their dates; an event about a claim arrives after it.
    """

    def __init__(self, name: str, ways: HistoryMix, mix: Mix, draw: Draw) -> None:
        self.name = name
        self.ways = ways
        self.mix = mix
        self.draw = draw
        self.happenings: list[Happening] = []
        self._number = 0

    def unfold(self, member: Member, day: int) -> None:
        """Let a member's visit of that day happen, with all that follows from it."""
        for billed in self._bills(member, day):
            received = day + 1 + self.draw.below(LAST_RECEIPT - 1)
            data = envelope.claim("", member, DAYS[received], billed.bill, billed.records)
            self._submit(Held(data, billed.visit, received, self.draw.random(), 1))

    def _bills(self, member: Member, day: int) -> list[Billed]:
        mix, draw = self.mix, self.draw
        if draw.chance(mix.assumed.non_mohs_chance):
            return [Billed(bill_other(practice(member.practice, mix), day, mix, draw), None, None)]
        seen = visit(member, day, mix, draw)
        bill = bill_mohs(seen, mix, draw)
        bills = [Billed(bill, seen, documentation(seen, bill.other_lesions, mix, draw))]
        if draw.chance(self.ways.add_ons_apart_chance):
            apart = move_add_ons(bill)
            if apart is not None:
                bills.append(Billed(apart, seen, bills[0].records))
        bills += billed_apart(seen, self.ways, mix, draw)
        return bills

    def _submit(self, held: Held) -> None:
        """Send a claim under the next claim id, and let happen what becomes of it."""
        held.data["claim_id"] = f"CLM-{self.name}-{self._number + 1:02d}"
        held.data["received_date"] = DAYS[held.received]
        self._tell(SUBMITTED, held.data, held.received, held.at)
        if held.data["frequency_code"] == "8":
            return
        if held.generation < GENERATIONS and (
            held.generation == 1 or self.draw.chance(self.ways.after.replacement_followed)
        ):
            self._repeat(held)
            self._replace(held)
        self._document(held)
        self._void(held)

    def _repeat(self, held: Held) -> None:
        if not self.draw.chance(self.ways.after.duplicate):
            return
        dearer = self.draw.chance(self.ways.after.duplicate_at_another_charge)
        data = at_another_charge(held.data) if dearer else dict(held.data)
        data |= {"frequency_code": "1", "original_claim_id": None}
        received = held.received + self.draw.below(self.ways.days.duplicate)
        # A duplicate may arrive before the claim that was received first.
        self._submit(Held(data, held.visit, received, self.draw.random(), held.generation + 1))

    def _replace(self, held: Held) -> None:
        draw, after = self.draw, self.ways.after
        if not draw.chance(after.replacement):
            return
        for _ in range(2 if draw.chance(after.competing_replacement) else 1):
            kind = draw.pick(self.ways.kinds_of_corrections)
            data = corrected(kind, held.data, held.visit, self.mix, draw)
            data |= {"frequency_code": "7", "original_claim_id": held.data["claim_id"]}
            received = held.received + draw.below(self.ways.days.replacement)
            self._submit(Held(data, held.visit, received, self._later(held), held.generation + 1))

    def _document(self, held: Held) -> None:
        draw, after, days = self.draw, self.ways.after, self.ways.days
        if held.visit is None:
            return
        others = _other_lesions(held)
        awaited = are_wanting(held.data.get("documentation"), held.visit, others)
        further = after.documentation_awaited if awaited else after.documentation
        while draw.chance(further):
            kind = draw.pick(self.ways.kinds_of_records)
            records = later_records(kind, held.visit, others, self.mix, draw)
            day = held.received + draw.below(days.records)
            facts = {"received_date": DAYS[day], "documentation": records}
            self._tell(DOCUMENTED, _about(held) | facts, day, self._later(held))
            further = after.documentation_again
        if draw.chance(after.expiry_awaited if awaited else after.expiry):
            day = held.received + 1 + draw.below(days.expiry)
            self._tell(EXPIRED, _about(held) | {"expired_date": DAYS[day]}, day, self._later(held))

    def _void(self, held: Held) -> None:
        draw, after = self.draw, self.ways.after
        if not draw.chance(after.void):
            return
        day, at = held.received + draw.below(self.ways.days.void), self._later(held)
        if draw.chance(after.void_by_claim):
            data = held.data | {"frequency_code": "8", "original_claim_id": held.data["claim_id"]}
            self._submit(Held(data, held.visit, day, at, held.generation + 1))
        else:
            self._tell(VOIDED, _about(held), day, at)

    def _later(self, held: Held) -> float:
        return held.at + self.draw.random()

    def _tell(self, event_type: str, data: dict[str, Any], day: int, at: float) -> None:
        self._number += 1
        event = envelope.event(f"evt-{self.name}-{self._number:02d}", event_type, DAYS[day], data, self.draw)
        self.happenings.append(Happening(at, event))
        if self.draw.chance(self.ways.redelivery_chance):
            self.happenings.append(Happening(at + self.draw.random(), event))


def _about(held: Held) -> dict[str, Any]:
    return {"claim_id": held.data["claim_id"], "member_id": held.data["member_id"]}


def _other_lesions(held: Held) -> list[str]:
    """Lesions of its biopsy and pathology lines that were not operated on."""
    names = dict.fromkeys(line.get("lesion", "") for line in held.data["lines"])
    return [name for name in names if name.startswith("P")]
