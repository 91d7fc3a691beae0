"""Records of a claim merged into one statement of facts, whatever order they arrived in (policy §6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from worker.adjudication.claim import Claim, Documentation, Lesion
from worker.adjudication.kept import Records

FACTS = tuple(name for name in Lesion.__struct_fields__ if name != "lesion")


def documented(claim: Claim, received: Sequence[Records]) -> Claim:
    """The claim with all that its records say: its own and those that came later, merged.

    In the order of receipt, then of the event's source and id; the claim's own come first on its date. A
    later fact replaces an earlier one whole, lists too; what is null or absent replaces nothing; lesions
    match by id.
    """
    if not received:
        return claim
    parts: list[tuple[tuple[int, int, str, str], Documentation]] = [
        ((one.received, 1, one.source, one.id), one.documentation) for one in received
    ]
    if claim.documentation is not None:
        parts.append(((claim.received_date.toordinal(), 0, "", ""), claim.documentation))
    parts.sort(key=lambda part: part[0])
    return msgspec.structs.replace(
        claim, documentation=_merged([documentation for _, documentation in parts])
    )


def _merged(parts: Sequence[Documentation]) -> Documentation:
    immunosuppressed: bool | None = None
    lesions: dict[str, dict[str, Any]] = {}
    for part in parts:
        if part.immunosuppressed is not None:
            immunosuppressed = part.immunosuppressed
        for lesion in part.lesions or ():
            known = lesions.setdefault(lesion.lesion, {"lesion": lesion.lesion})
            stated = ((fact, getattr(lesion, fact)) for fact in FACTS)
            known.update((fact, value) for fact, value in stated if value is not None)
    is_listed = any(part.lesions is not None for part in parts)
    return Documentation(
        immunosuppressed=immunosuppressed,
        lesions=tuple(Lesion(**facts) for facts in lesions.values()) if is_listed else None,
    )
