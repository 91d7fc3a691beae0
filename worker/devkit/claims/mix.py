"""The mix of claims, read once from ``worker/devkit/data``: typed, with weights ready to draw from.

Sources and what is an assumption: ``data/SOURCES.md``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from worker.devkit.claims.draw import Curve, Weighted

DATA = files("worker.devkit") / "data"
FIRST_STAGES = ("17311", "17313")
ADD_ON_OF = {"17311": "17312", "17313": "17314"}
BLOCKS = "17315"

Kind: TypeAlias = Literal["bcc", "scc", "carcinoma-in-situ", "melanoma-in-situ"]
Mistake: TypeAlias = Literal[
    "none", "professional-component", "technical-component", "wrong-site-code", "orphan-add-on",
    "too-many-stages", "units-for-lesions", "site-conflict", "unlisted-diagnosis", "header-diagnosis",
    "unknown-diagnosis", "repeated-line",
]  # fmt: skip


class Site(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a lesion is: its first-stage code, how it is repaired, and its diagnoses (right and left)."""

    site: str
    first_stage: str
    weight: float
    repair: str
    diagnoses: dict[Kind, tuple[str, ...]]


class AddOnService(Struct, frozen=True, forbid_unknown_fields=True):
    """A further unit that now and then goes with a service."""

    code: str
    chance: float
    charge: float


class Service(Struct, frozen=True, forbid_unknown_fields=True):
    """A billed service beside Mohs; ``charge`` in US dollars a unit."""

    code: str
    charge: float
    weight: float = 1
    group: str = ""
    add_on: AddOnService | None = None


class OtherClaim(Struct, frozen=True, forbid_unknown_fields=True):
    """The services of a claim without Mohs."""

    weight: float
    services: tuple[Service, ...]


class Truth(Struct, frozen=True, rename={"ill_defined": "ill-defined"}, forbid_unknown_fields=True):
    """How often a fact is true of a lesion or of its patient."""

    ill_defined: float
    recurrent: float
    incompletely_excised: float
    previously_irradiated: float
    rapid_growth: float
    high_risk_metastasis: float
    immunosuppressed: float
    deep: float


class Marking(Struct, frozen=True, forbid_unknown_fields=True):
    """How often modifiers say that a service is of another lesion."""

    second_lesion: float
    distinct_procedure: float
    same_lesion: float
    xs_share: float


class Assumptions(Struct, frozen=True, forbid_unknown_fields=True):
    """The content of ``claim_mix.toml``, key by key."""

    new_member_chance: float
    non_mohs_chance: float
    second_lesion_chance: float
    third_lesion_chance: float
    repair_chance: float
    biopsy_chance: float
    pathology_chance: float
    office_visit_chance: float
    office_visit_modifier_chance: float
    vague_diagnosis_chance: float
    lesion_named_chance: float
    payers: dict[str, float]
    kinds: dict[Kind, float]
    vague: dict[Kind, str]
    sites: tuple[Site, ...]
    histology: dict[Kind, dict[str, float]]
    diameter_cm: dict[str, Curve]
    truth: Truth
    missing: dict[str, float]
    blocks: dict[int, float]
    extra_blocks: dict[int, float]
    secondary: dict[str, float]
    mistakes: dict[Mistake, float]
    mistake_diagnoses: dict[str, tuple[str, ...]]
    marking: Marking
    repairs: tuple[Service, ...]
    biopsies: tuple[Service, ...]
    pathology: tuple[Service, ...]
    office_visits: tuple[Service, ...]
    other_claims: tuple[OtherClaim, ...]


class Volume(Struct, frozen=True):
    """A year of one code at one kind of place (O office, F facility) in the public-use file."""

    hcpcs: str
    place: str
    services: int
    bene_days: int
    avg_submitted_charge: float


class Mix:
    """Assumptions and public-use file together, as choices to draw from."""

    def __init__(self, assumed: Assumptions, volumes: tuple[Volume, ...], ratios: dict[str, Curve]) -> None:
        self.assumed = assumed
        self.volumes = volumes
        self.stage_ratios = ratios
        """By first-stage code: additional stages a first stage, over the providers."""
        self.charges = {(row.hcpcs, row.place): row.avg_submitted_charge for row in volumes}
        self.payers = Weighted(assumed.payers.items())
        self.kinds = Weighted(assumed.kinds.items())
        self.histology = {kind: Weighted(words.items()) for kind, words in assumed.histology.items()}
        self.blocks = Weighted(assumed.blocks.items())
        self.extra_blocks = Weighted(assumed.extra_blocks.items())
        self.mistakes = Weighted(assumed.mistakes.items())
        self.biopsies = _by_weight(assumed.biopsies)
        self.pathology = _by_weight(assumed.pathology)
        self.office_visits = _by_weight(assumed.office_visits)
        self.other_claims = Weighted((claim.services, claim.weight) for claim in assumed.other_claims)

    def services(self, hcpcs: str, place: str = "OF") -> int:
        """Services of a code in the public-use file, at these places."""
        return sum(row.services for row in self.volumes if row.hcpcs == hcpcs and row.place in place)

    @cached_property
    def first_stages(self) -> Weighted[str]:
        """17311 and 17313 as often as in the public-use file."""
        return Weighted((code, self.services(code)) for code in FIRST_STAGES)

    @cached_property
    def facility_share(self) -> float:
        """The share of first stages done in a facility, not an office."""
        facility, everywhere = (sum(self.services(code, at) for code in FIRST_STAGES) for at in ("F", "OF"))
        return facility / everywhere

    @cached_property
    def many_blocks_chance(self) -> float:
        """How often a lesion has a 17315: its beneficiary-days over the first stages."""
        days = sum(row.bene_days for row in self.volumes if row.hcpcs == BLOCKS)
        return days / sum(self.services(code) for code in FIRST_STAGES)

    @cached_property
    def further_stage_chance(self) -> float:
        """After one additional stage, how often another follows: from units of 17312 and 17314 a day."""
        rows = [row for row in self.volumes if row.hcpcs in ADD_ON_OF.values()]
        return 1 - sum(row.bene_days for row in rows) / sum(row.services for row in rows)

    @cached_property
    def sites(self) -> dict[str, Weighted[Site]]:
        """The sites of each first-stage code."""
        return {
            code: Weighted((site, site.weight) for site in self.assumed.sites if site.first_stage == code)
            for code in FIRST_STAGES
        }

    @cached_property
    def repairs(self) -> dict[str, Weighted[Service]]:
        """The repairs of each group of sites."""
        groups = dict.fromkeys(service.group for service in self.assumed.repairs)
        return {
            group: _by_weight(tuple(service for service in self.assumed.repairs if service.group == group))
            for group in groups
        }


@lru_cache(maxsize=1)
def load() -> Mix:
    """The mix that ships with the project."""
    assumed = msgspec.toml.decode((DATA / "claim_mix.toml").read_bytes(), type=Assumptions, strict=False)
    volumes = tuple(msgspec.convert(row, Volume, strict=False) for row in _rows("mohs_services_2021.csv"))
    ratios = {row["first_stage"]: _curve(row) for row in _rows("additional_stage_ratio_2021.csv")}
    return Mix(assumed, volumes, ratios)


def _rows(name: str) -> Iterator[dict[str, str]]:
    return csv.DictReader((DATA / name).read_text(encoding="utf-8").splitlines())


def _by_weight(services: tuple[Service, ...]) -> Weighted[Service]:
    return Weighted((service, service.weight) for service in services)


def _curve(row: dict[str, str]) -> Curve:
    """Percentile columns as points, drawn out to both ends by half of the outermost step."""
    points = [(int(name[1:]) / 100, float(value)) for name, value in row.items() if name[1:].isdigit()]
    lowest, highest = points[0][1], points[-1][1]
    return [
        (0.0, max(0.0, lowest - (points[1][1] - lowest) / 2)),
        *points,
        (1.0, highest + (highest - points[-2][1]) / 2),
    ]
