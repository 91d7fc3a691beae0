"""The rules that the engine asks, by the section of a policy that they belong to.

A version with a section has to say where each of its rules is written; this table is the one place that
knows which they are, and which of them deny.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from worker.adjudication.rulebook import CODING_POLICY, MOHS_POLICY, NCCI_POLICY

Section: TypeAlias = Literal["necessity", "structure", "bundling", "edits"]

RULES: Mapping[Section, Mapping[str, bool]] = {
    "necessity": {
        "necessity.diagnosis-known": True,
        "necessity.diagnosis-billable": True,
        "necessity.diagnosis-listed": True,
        "necessity.indications": True,
        "documentation.conflict": False,
        "documentation.expired": True,
        "history.capacity": False,
        "history.readjudicated": False,
    },
    "structure": {
        "structure.component-modifier": True,
        "structure.site-code": True,
        "structure.same-lesion": True,
        "structure.distinct-lesion-modifier": True,
        "structure.first-stage-units": True,
        "structure.documented-stages": True,
        "structure.documented-blocks": True,
        "structure.parent-absent": True,
        "structure.parent-denied": True,
        "structure.parent": False,
    },
    "bundling": {
        "bundling.repair": False,
        "bundling.biopsy": True,
        "bundling.pathology": True,
    },
    "edits": {
        "ncci.pair": True,
        "ncci.units-per-day": True,
        "ncci.duplicate": True,
        "ncci.no-edit": False,
    },
}
"""Rule ids, and whether the rule denies (or cuts units) and so needs reason codes."""

OWNERS: Mapping[Section, str] = {
    "structure": CODING_POLICY,
    "bundling": MOHS_POLICY,
    "edits": NCCI_POLICY,
}
"""The one policy that the engine asks for a section; necessity is asked of the payer's policy."""
