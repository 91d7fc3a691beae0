"""The claims that a day of Mohs surgery brings beside the surgeon's own, by the same practice or another."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any, NamedTuple

from worker.devkit.claims.bill import Bill, bill_mohs, bill_of_a_lesion
from worker.devkit.claims.chart import documentation
from worker.devkit.claims.draw import Draw
from worker.devkit.claims.history_mix import Beside, HistoryMix
from worker.devkit.claims.mix import ADD_ON_OF, BLOCKS, Mix
from worker.devkit.claims.visit import PRACTICES, Practice, Visit, npi, practice, visit

ADD_ONS = frozenset({*ADD_ON_OF.values(), BLOCKS})


class Billed(NamedTuple):
    """A bill, the visit that it is of (None: without Mohs), and the records that go with it."""

    bill: Bill
    visit: Visit | None
    records: dict[str, Any] | None


def billed_apart(seen: Visit, ways: HistoryMix, mix: Mix, draw: Draw) -> Iterator[Billed]:
    """The day's other claims."""
    for kind, chance in ways.beside.items():
        if draw.chance(chance):
            yield _billed(kind, seen, ways, mix, draw)


def move_add_ons(bill: Bill) -> Bill | None:
    """Take further stages and blocks off the bill, to another of their own; None when it has none."""
    apart = copy(bill)
    apart.lines = [line for line in bill.lines if line["procedure"] in ADD_ONS]
    rest = [line for line in bill.lines if line["procedure"] not in ADD_ONS]
    if not apart.lines or not rest:
        return None
    bill.lines = rest
    return apart


def _billed(kind: Beside, seen: Visit, ways: HistoryMix, mix: Mix, draw: Draw) -> Billed:
    if kind in {"same-lesion", "other-lesion"}:
        return _surgery(kind, seen, mix, draw)
    bill = Bill(_biller(seen.practice, ways, mix, draw), seen.day, draw, mix)
    lesion = draw.one(seen.lesions)
    pointer = bill.diagnose(lesion.site.diagnoses[lesion.kind][0])
    match kind:
        case "biopsy":
            bill_of_a_lesion(bill, seen, draw.pick(mix.biopsies))
        case "pathology":
            bill_of_a_lesion(bill, seen, draw.pick(mix.pathology))
            _multiply(bill.lines[-1], draw.pick(ways.units_of_pathology))
        case "repair":
            bill.service(draw.pick(mix.repairs[lesion.site.repair]), pointer)
        case _:
            bill.service(draw.pick(mix.office_visits), pointer)
    if draw.chance(1 - mix.assumed.lesion_named_chance):
        bill.lines[-1].pop("lesion", None)
    records = None
    if bill.other_lesions and not draw.chance(mix.assumed.missing["other_lesion"]):
        entries = [{"lesion": name, "site": seen.lesions[0].site.site} for name in bill.other_lesions]
        records = {"lesions": entries}
    return Billed(bill, seen, records)


def _surgery(kind: Beside, seen: Visit, mix: Mix, draw: Draw) -> Billed:
    """Surgery of a lesion that the other claims name too, or that none does, billed on a claim of its own."""
    again = visit(seen.member, seen.day, mix, draw)
    again = again._replace(practice=seen.practice)
    if kind == "same-lesion":
        again = again._replace(lesions=seen.lesions[:1], mistake="none")
    else:
        again = again._replace(lesions=[lesion._replace(name=f"X{lesion.name}") for lesion in again.lesions])
    bill = bill_mohs(again, mix, draw)
    return Billed(bill, again, documentation(again, bill.other_lesions, mix, draw))


def _biller(surgeon: Practice, ways: HistoryMix, mix: Mix, draw: Draw) -> Practice:
    match draw.pick(ways.billers):
        case "surgeon":
            return surgeon
        case "group":
            return surgeon._replace(npi=npi(30_011 + draw.below(PRACTICES)))
        case _:
            return practice(draw.below(PRACTICES), mix)


def _multiply(line: dict[str, Any], units: int) -> None:
    line["units"] = units
    line["charge"] = f"{int(line['charge'][:-3]) * units}.00"
