"""What happened: a patient came to a practice on a day, with lesions that took so many stages and blocks."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from worker.devkit.claims.draw import Draw, at
from worker.devkit.claims.mix import Kind, Mistake, Mix, Site

FIRST_DAY = date(2019, 1, 1)
LAST_DAY = date(2026, 6, 30)
LAST_RECEIPT = 14
"""Days after the service until the last claims are received."""
DAYS = tuple(
    (FIRST_DAY + timedelta(days)).isoformat()
    for days in range((LAST_DAY - FIRST_DAY).days + LAST_RECEIPT + 1)
)
PRACTICES = 400
INCLUDED_BLOCKS = 5
"""Blocks of a stage before 17315 counts."""
DEEP_STRUCTURES = ("muscle", "cartilage", "bone", "tendon", "major-nerve", "major-vessel")
SPREAD = {"stages": 0.6180339887498949, "charges": 0.4142135623730951, "facility": 0.7320508075688772}
"""Steps from one practice to the next in a habit's distribution: irrational, so evenly spread."""


class Practice(NamedTuple):
    """A surgeon and the surgeon's habits."""

    npi: str
    tin: str
    clia: str
    facility: bool
    stage_ratios: dict[str, float]
    """Additional stages a first stage, by first-stage code."""
    charge_factor: float
    """The surgeon's charges over the average ones."""


class Lesion(NamedTuple):
    """One lesion as it is, and as it was operated on."""

    name: str
    site: Site
    kind: Kind
    left: bool
    diameter_cm: str
    ill_defined: bool
    recurrent: bool
    incompletely_excised: bool
    previously_irradiated: bool
    rapid_growth: bool
    high_risk_metastasis: bool
    histology: str
    deep: str | None
    blocks: list[int]
    """Tissue blocks, stage by stage."""


class Member(Struct):
    """A patient, as the next visit needs to know them. ``last_day`` moves on with every visit."""

    id: str
    payer: str
    practice: int
    immunosuppressed: bool
    last_day: int


class Visit(NamedTuple):
    """A day of a member at a practice. ``day`` counts from ``FIRST_DAY``."""

    member: Member
    practice: Practice
    day: int
    lesions: list[Lesion]
    mistake: Mistake


def npi(number: int) -> str:
    """A well-formed national provider identifier from a range in which none are issued.

    Ten digits, the last a Luhn check digit over 80840 and the first nine (45 CFR 162.406).
    """
    base = f"2{number:08d}"
    digits = [int(digit) for digit in reversed("80840" + base)]
    total = sum(sum(divmod(2 * digit, 10)) if place % 2 == 0 else digit for place, digit in enumerate(digits))
    return f"{base}{-total % 10}"


@lru_cache(maxsize=PRACTICES)
def practice(number: int, mix: Mix) -> Practice:
    """The practice with this number, the same for every seed."""
    stages, charges, facility = ((number * step + 0.5) % 1.0 for step in SPREAD.values())
    return Practice(
        npi=npi(10_007 * (number + 1)),
        tin=f"45{number * 7919 % 10_000_000:07d}",
        clia=f"99D{number:07d}",
        facility=facility < mix.facility_share,
        stage_ratios={code: at(curve, stages) for code, curve in mix.stage_ratios.items()},
        charge_factor=0.7 + 0.6 * charges,
    )


def visit(member: Member, day: int, mix: Mix, draw: Draw) -> Visit:
    """A day of Mohs surgery."""
    place = practice(member.practice, mix)
    lesions = [_lesion("A", place, mix, draw)]
    if draw.chance(mix.assumed.second_lesion_chance):
        lesions.append(_lesion("B", place, mix, draw))
        if draw.chance(mix.assumed.third_lesion_chance):
            lesions.append(_lesion("C", place, mix, draw))
    return Visit(member, place, day, lesions, draw.pick(mix.mistakes))


def _lesion(name: str, place: Practice, mix: Mix, draw: Draw) -> Lesion:
    truth = mix.assumed.truth
    site = draw.pick(mix.sites[draw.pick(mix.first_stages)])
    kind = draw.pick(mix.kinds)
    return Lesion(
        name=name,
        site=site,
        kind=kind,
        left=draw.chance(0.5),
        diameter_cm=f"{draw.on(mix.assumed.diameter_cm[site.first_stage]):.1f}",
        ill_defined=draw.chance(truth.ill_defined),
        recurrent=draw.chance(truth.recurrent),
        incompletely_excised=draw.chance(truth.incompletely_excised),
        previously_irradiated=draw.chance(truth.previously_irradiated),
        rapid_growth=draw.chance(truth.rapid_growth),
        high_risk_metastasis=draw.chance(truth.high_risk_metastasis),
        histology=draw.pick(mix.histology[kind]),
        deep=draw.one(DEEP_STRUCTURES) if draw.chance(truth.deep) else None,
        blocks=_blocks(site.first_stage, place, mix, draw),
    )


def _blocks(first_stage: str, place: Practice, mix: Mix, draw: Draw) -> list[int]:
    """Blocks of each stage: as many stages as is this surgeon's habit, now and then one with many blocks."""
    further = mix.further_stage_chance
    stages = 1
    if draw.chance(place.stage_ratios[first_stage] * (1 - further)):
        stages = 2
        while stages < 8 and draw.chance(further):
            stages += 1
    blocks = [draw.pick(mix.blocks) for _ in range(stages)]
    if draw.chance(mix.many_blocks_chance):
        blocks[0] = INCLUDED_BLOCKS + draw.pick(mix.extra_blocks)
    return blocks
