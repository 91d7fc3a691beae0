"""What the records say of a visit, with the gaps that records have."""

from __future__ import annotations

from typing import Any

from worker.devkit.claims.draw import Draw
from worker.devkit.claims.mix import Mix
from worker.devkit.claims.visit import Lesion, Visit

Facts = dict[str, Any]


def documentation(visit: Visit, others: list[str], mix: Mix, draw: Draw) -> Facts | None:
    """The claim's ``documentation``, or None when no records came with it.

    ``others`` names lesions that were not operated on: those of biopsy and pathology lines.
    """
    missing = mix.assumed.missing
    if draw.chance(missing["documentation"]):
        return None
    lesions = [_entry(lesion, visit.mistake == "site-conflict", mix, draw) for lesion in visit.lesions]
    lesions += [
        {"lesion": name, "site": draw.pick(mix.sites["17311"]).site}
        for name in others
        if not draw.chance(missing["other_lesion"])
    ]
    facts = {"immunosuppressed": visit.member.immunosuppressed, "lesions": lesions}
    return _with_gaps(facts, mix, draw)


def _entry(lesion: Lesion, conflicting: bool, mix: Mix, draw: Draw) -> Facts:
    facts = {
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
    return _with_gaps(facts, mix, draw)


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
