"""How a member's claims hang together, read once from ``history_mix.toml``: typed, ready to draw from."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from worker.devkit.claims.draw import Weighted
from worker.devkit.claims.mix import DATA

Beside: TypeAlias = Literal["pathology", "biopsy", "repair", "other-lesion", "same-lesion", "office-visit"]
Biller: TypeAlias = Literal["surgeon", "group", "elsewhere"]
Records: TypeAlias = Literal["whole", "gaps", "amended"]
Correction: TypeAlias = Literal[
    "modifier", "units", "diagnosis", "line-dropped", "line-added", "surgeon", "records", "none"
]


class After(Struct, frozen=True, forbid_unknown_fields=True):
    """The chances of what becomes of a claim; ``awaited``: it came without some of its records."""

    duplicate: float
    duplicate_at_another_charge: float
    replacement: float
    competing_replacement: float
    replacement_followed: float
    void: float
    void_by_claim: float
    documentation: float
    documentation_awaited: float
    documentation_again: float
    expiry: float
    expiry_awaited: float


class Days(Struct, frozen=True, forbid_unknown_fields=True):
    """The longest days from a claim's date received to that of what follows it."""

    duplicate: int
    replacement: int
    records: int
    void: int
    expiry: int


class HistoryMix(Struct, frozen=True, dict=True, forbid_unknown_fields=True):
    """The content of ``history_mix.toml``, key by key, and its weights as choices to draw from."""

    new_member_chance: float
    regular_share: float
    regular_chance: float
    redelivery_chance: float
    add_ons_apart_chance: float
    stray_chance: float
    beside: dict[Beside, float]
    biller: dict[Biller, float]
    pathology_units: dict[int, float]
    after: After
    records: dict[Records, float]
    corrections: dict[Correction, float]
    days: Days

    @cached_property
    def billers(self) -> Weighted[Biller]:
        """Who bills a claim beside the surgeon's."""
        return Weighted(self.biller.items())

    @cached_property
    def units_of_pathology(self) -> Weighted[int]:
        """Units of a pathology line."""
        return Weighted(self.pathology_units.items())

    @cached_property
    def kinds_of_records(self) -> Weighted[Records]:
        """What records that come later hold."""
        return Weighted(self.records.items())

    @cached_property
    def kinds_of_corrections(self) -> Weighted[Correction]:
        """What a replacement corrects."""
        return Weighted(self.corrections.items())


@lru_cache(maxsize=1)
def load() -> HistoryMix:
    """The table that ships with the project."""
    return msgspec.toml.decode((DATA / "history_mix.toml").read_bytes(), type=HistoryMix, strict=False)
