"""What is billed of a visit: diagnoses and lines, with the mistakes that billing makes."""

from __future__ import annotations

from typing import Any

from worker.devkit.claims.draw import Draw
from worker.devkit.claims.mix import ADD_ON_OF, BLOCKS, FIRST_STAGES, Mix, Service
from worker.devkit.claims.visit import DAYS, INCLUDED_BLOCKS, Lesion, Practice, Visit

OTHER_CODE = {
    **dict(zip(FIRST_STAGES, reversed(FIRST_STAGES), strict=True)),
    "17312": "17314",
    "17314": "17312",
}
COMPONENT = {"professional-component": "26", "technical-component": "TC"}
MISTAKEN_DIAGNOSIS = {
    "unlisted-diagnosis": "unlisted",
    "header-diagnosis": "header",
    "unknown-diagnosis": "unknown",
}


class Bill:
    """The lines and diagnoses of one claim as they are written down."""

    def __init__(self, place: Practice, day: int, draw: Draw, mix: Mix) -> None:
        self.practice = place
        self.day = DAYS[day]
        self.draw = draw
        self.mix = mix
        self.setting = "F" if place.facility else "O"
        self.diagnoses: list[str] = []
        self.lines: list[dict[str, Any]] = []
        self.other_lesions: list[str] = []

    def diagnose(self, code: str) -> int:
        """The pointer to a diagnosis, which is added when it is not there."""
        if code not in self.diagnoses:
            self.diagnoses.append(code)
        return self.diagnoses.index(code) + 1

    def add(
        self,
        procedure: str,
        charge: float,
        pointer: int,
        *,
        units: int = 1,
        lesion: str | None = None,
        modifiers: list[str] | None = None,
    ) -> None:
        """Bill a line at the practice's own price: ``charge`` is the usual one of a unit."""
        price = max(5, round(charge * self.practice.charge_factor / 5) * 5)
        line = {
            "line": len(self.lines) + 1,
            "procedure": procedure,
            "modifiers": modifiers or [],
            "units": units,
            "diagnosis_pointers": [pointer],
            "service_date": self.day,
            "charge": f"{price * units}.00",
        }
        if lesion is not None:
            line["lesion"] = lesion
        self.lines.append(line)

    def service(self, service: Service, pointer: int, *, modifiers: list[str] | None = None) -> None:
        """Bill a service beside Mohs, with its add-on when there was one."""
        self.add(service.code, service.charge, pointer, modifiers=modifiers)
        add_on = service.add_on
        if add_on is not None and self.draw.chance(add_on.chance):
            self.add(add_on.code, add_on.charge, pointer)

    def mohs(self, procedure: str, pointer: int, **rest: Any) -> None:
        """Bill a Mohs line at the public-use file's average charge for the setting."""
        self.add(procedure, self.mix.charges[procedure, self.setting], pointer, **rest)

    def distinct(self) -> list[str]:
        """The modifier that says: another lesion."""
        return ["XS" if self.draw.chance(self.mix.assumed.marking.xs_share) else "59"]


def bill_mohs(visit: Visit, mix: Mix, draw: Draw) -> Bill:
    """The bill of a day of Mohs surgery, companion services included."""
    bill = Bill(visit.practice, visit.day, draw, mix)
    pointers = [bill.diagnose(_diagnosis(lesion, visit, mix, draw)) for lesion in visit.lesions]
    billed: set[str] = set()
    for lesion, pointer in zip(visit.lesions, pointers, strict=True):
        _bill_lesion(bill, visit, lesion, pointer, billed)
    for lesion, pointer in zip(visit.lesions, pointers, strict=True):
        if draw.chance(mix.assumed.repair_chance):
            bill.service(draw.pick(mix.repairs[lesion.site.repair]), pointer)
    _bill_companions(bill, visit)
    for code, probability in mix.assumed.secondary.items():
        if draw.chance(probability):
            bill.diagnose(code)
    return bill


def bill_other(place: Practice, day: int, mix: Mix, draw: Draw) -> Bill:
    """The bill of a visit without Mohs."""
    bill = Bill(place, day, draw, mix)
    site = draw.pick(mix.sites[draw.pick(mix.first_stages)])
    pointer = bill.diagnose(site.diagnoses["bcc"][0])
    for service in draw.pick(mix.other_claims):
        bill.service(service, pointer)
    return bill


def bill_of_a_lesion(bill: Bill, visit: Visit, service: Service) -> None:
    """A biopsy or pathology line: of the Mohs lesion, or of another with or without the modifier."""
    draw, marking = bill.draw, bill.mix.assumed.marking
    if draw.chance(marking.same_lesion):
        lesion = visit.lesions[0].name
    else:
        lesion = f"P{len(bill.other_lesions) + 1}"
        bill.other_lesions.append(lesion)
    modifiers = bill.distinct() if draw.chance(marking.distinct_procedure) else []
    pointer = bill.diagnose("D48.5") if draw.chance(0.5) else 1
    bill.add(service.code, service.charge, pointer, lesion=lesion, modifiers=modifiers)


def _bill_lesion(bill: Bill, visit: Visit, lesion: Lesion, pointer: int, billed: set[str]) -> None:
    """The Mohs lines of one lesion; ``billed`` has the first-stage codes that stand on the bill."""
    draw, mix, mistake = bill.draw, bill.mix, visit.mistake
    first = lesion.site.first_stage
    add_on = ADD_ON_OF[first]
    if mistake == "wrong-site-code":
        first, add_on = OTHER_CODE[first], OTHER_CODE[add_on]
    alone = len(visit.lesions) == 1
    named = lesion.name if not alone or draw.chance(mix.assumed.lesion_named_chance) else None
    modifiers = [COMPONENT[mistake]] if mistake in COMPONENT else []
    if first in billed and draw.chance(mix.assumed.marking.second_lesion):
        modifiers += bill.distinct()
    billed.add(first)
    units = 2 if mistake == "units-for-lesions" else 1
    further = len(lesion.blocks) - 1 + (mistake == "too-many-stages")
    if mistake != "orphan-add-on":
        bill.mohs(first, pointer, units=units, lesion=named, modifiers=modifiers)
    if mistake == "repeated-line":
        bill.mohs(first, pointer, units=units, lesion=named)
    if further or mistake == "orphan-add-on":
        bill.mohs(add_on, pointer, units=max(1, further), lesion=named)
    extra = sum(max(0, blocks - INCLUDED_BLOCKS) for blocks in lesion.blocks)
    if extra:
        bill.mohs(BLOCKS, pointer, units=extra, lesion=named)


def _bill_companions(bill: Bill, visit: Visit) -> None:
    """Office visit, biopsy and pathology of the same day."""
    draw, assumed, mix = bill.draw, bill.mix.assumed, bill.mix
    if draw.chance(assumed.office_visit_chance):
        marked = draw.chance(assumed.office_visit_modifier_chance)
        bill.service(draw.pick(mix.office_visits), 1, modifiers=["25"] if marked else [])
    if draw.chance(assumed.biopsy_chance):
        bill_of_a_lesion(bill, visit, draw.pick(mix.biopsies))
    if draw.chance(assumed.pathology_chance):
        bill_of_a_lesion(bill, visit, draw.pick(mix.pathology))


def _diagnosis(lesion: Lesion, visit: Visit, mix: Mix, draw: Draw) -> str:
    mistaken = MISTAKEN_DIAGNOSIS.get(visit.mistake)
    if mistaken is not None:
        return draw.one(mix.assumed.mistake_diagnoses[mistaken])
    if draw.chance(mix.assumed.vague_diagnosis_chance):
        return mix.assumed.vague[lesion.kind]
    codes = lesion.site.diagnoses[lesion.kind]
    return codes[-1 if lesion.left else 0]
