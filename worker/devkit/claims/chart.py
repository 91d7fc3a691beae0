"""What the records say of a visit, with the gaps that records have."""

from __future__ import annotations

from typing import Any

from worker.devkit.claims.draw import Draw
from worker.devkit.claims.history_mix import Records
from worker.devkit.claims.mix import Mix
from worker.devkit.claims.visit import Lesion, Visit

Facts = dict[str, Any]

WANTED = ("site", "diameter_cm", "borders", "recurrent", "incompletely_excised", "rapid_growth", "histology")
"""Facts that an indication of a policy asks for, the rare ones left aside."""


def documentation(visit: Visit, others: list[str], mix: Mix, draw: Draw) -> Facts | None:
    """The claim's ``documentation``, or None when no records came with it.

    ``others`` names lesions that were not operated on: those of biopsy and pathology lines.
    """
    missing = mix.assumed.missing
    if draw.chance(missing["documentation"]):
        return None
    conflicting = visit.mistake == "site-conflict"
    lesions = [_with_gaps(_entry(lesion, conflicting), mix, draw) for lesion in visit.lesions]
    lesions += [
        {"lesion": name, "site": draw.pick(mix.sites["17311"]).site}
        for name in others
        if not draw.chance(missing["other_lesion"])
    ]
    facts = {"immunosuppressed": visit.member.immunosuppressed, "lesions": lesions}
    return _with_gaps(facts, mix, draw)


def later_records(kind: Records, visit: Visit, others: list[str], mix: Mix, draw: Draw) -> Facts:
    """Records of the visit that come after the claim: all facts, some, or two facts amended."""
    if kind == "amended":
        lesion = draw.one(visit.lesions)
        diameter = draw.on(mix.assumed.diameter_cm[lesion.site.first_stage])
        borders = "well-defined" if lesion.ill_defined else "ill-defined"
        return {"lesions": [{"lesion": lesion.name, "diameter_cm": f"{diameter:.1f}", "borders": borders}]}
    lesions = [_entry(lesion, conflicting=False) for lesion in visit.lesions]
    if kind == "gaps":
        lesions = [_with_gaps(lesion, mix, draw) for lesion in lesions]
    lesions += [{"lesion": name, "site": draw.pick(mix.sites["17311"]).site} for name in others]
    return {"immunosuppressed": visit.member.immunosuppressed, "lesions": lesions}


def are_wanting(records: Facts | None, visit: Visit, others: list[str]) -> bool:
    """Whether somebody may ask for more than these records: roughly where a claim of the visit pends.

    A lesion of trunk, arms or legs needs all the facts that an indication asks for; another lesion's biopsy
    or pathology needs its site; without records anything may be missing.
    """
    if records is None:
        return True
    said = {entry["lesion"]: entry for entry in records.get("lesions") or ()}
    if not all(name in said for name in others):
        return True
    entries = [said.get(lesion.name, {}) for lesion in visit.lesions if lesion.site.first_stage == "17313"]
    return any(entry.get(fact) is None for entry in entries for fact in WANTED)


def _entry(lesion: Lesion, conflicting: bool) -> Facts:
    return {
        "lesion": lesion.name,
        "site": _another_site(lesion) if conflicting else lesion.site.site,
        "laterality": _laterality(lesion),
        "diameter_cm": lesion.diameter_cm,
        "borders": "ill-defined" if lesion.ill_defined else "well-defined",
        "recurrent": lesion.recurrent,
        "incompletely_excised": lesion.incompletely_excised,
        "previously_irradiated": lesion.previously_irradiated,
        "rapid_growth": lesion.rapid_growth,
        "high_risk_metastasis": lesion.high_risk_metastasis,
        "histology": [lesion.histology],
        "direct_involvement": [lesion.deep] if lesion.deep else [],
        "stages": [{"blocks": blocks} for blocks in lesion.blocks],
    }


def _with_gaps(facts: Facts, mix: Mix, draw: Draw) -> Facts:
    """The facts without those that the records leave out; some of these are there, but null."""
    missing = mix.assumed.missing
    random = draw.random
    gaps = [name for name in facts if name in missing and random() < missing[name]]
    for name in gaps:
        if random() < missing["null_chance"]:
            facts[name] = None
        else:
            del facts[name]
    return facts


def _another_site(lesion: Lesion) -> str:
    return "trunk" if lesion.site.first_stage == "17311" else "nose"


def _laterality(lesion: Lesion) -> str | None:
    if lesion.site.site == "nose":
        return None
    return "left" if lesion.left else "right"
