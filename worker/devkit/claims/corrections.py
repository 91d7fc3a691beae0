"""What a replacement corrects on the claim that it replaces."""

from __future__ import annotations

from typing import Any

from worker.devkit.claims.chart import later_records
from worker.devkit.claims.draw import Draw
from worker.devkit.claims.history_mix import Correction
from worker.devkit.claims.mix import Mix
from worker.devkit.claims.visit import PRACTICES, Visit, practice

Data = dict[str, Any]


def corrected(kind: Correction, claim: Data, visit: Visit | None, mix: Mix, draw: Draw) -> Data:
    """A copy of the claim with one correction, or with none where nothing of the kind is to correct."""
    lines: list[Data] = claim["lines"]
    line = draw.one(lines)
    if kind == "modifier" and not line["modifiers"]:
        return _with_line(claim, line, modifiers=["59"])
    if kind == "units":
        return _with_units(claim, line, line["units"] - 1 or 2)
    if kind == "diagnosis":
        site = draw.pick(mix.sites[draw.pick(mix.first_stages)])
        return claim | {"diagnoses": [site.diagnoses["bcc"][0], *claim["diagnoses"][1:]]}
    if kind == "line-dropped" and len(lines) > 1:
        return claim | {"lines": [other for other in lines if other is not line]}
    if kind == "line-added":
        return claim | {"lines": [*lines, _pathology(lines, mix, draw)]}
    if kind == "surgeon":
        another = practice(draw.below(PRACTICES), mix)
        return claim | {"rendering_provider": {"npi": another.npi}}
    if kind == "records" and visit is not None:
        return claim | {"documentation": later_records("whole", visit, [], mix, draw)}
    return dict(claim)


def at_another_charge(claim: Data) -> Data:
    """A copy of the claim whose first line costs a tenth more."""
    line = claim["lines"][0]
    return _with_line(claim, line, charge=f"{int(line['charge'][:-3]) * 11 // 10}.00")


def _with_units(claim: Data, line: Data, units: int) -> Data:
    price = int(line["charge"][:-3]) // line["units"]
    return _with_line(claim, line, units=units, charge=f"{price * units}.00")


def _with_line(claim: Data, line: Data, **changes: Any) -> Data:
    return claim | {"lines": [other | changes if other is line else other for other in claim["lines"]]}


def _pathology(lines: list[Data], mix: Mix, draw: Draw) -> Data:
    """A line that was forgotten."""
    service = draw.pick(mix.pathology)
    return {
        "line": max(line["line"] for line in lines) + 1,
        "procedure": service.code,
        "modifiers": [],
        "units": 1,
        "diagnosis_pointers": [1],
        "service_date": lines[0]["service_date"],
        "charge": f"{service.charge:.0f}.00",
    }
