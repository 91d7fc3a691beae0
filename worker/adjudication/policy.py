"""A policy document as a typed value: dated versions of parameters, citations and reason codes.

These types are the grammar of the TOML files in ``worker/policies``; ``worker.policies.catalog`` is their
only reader. Nothing that a payer may change lives in Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from worker.adjudication.claim import Borders, Histology, Id, Site

BooleanFact: TypeAlias = Literal[
    "recurrent", "incompletely_excised", "previously_irradiated", "rapid_growth", "immunosuppressed",
    "high_risk_metastasis",
]  # fmt: skip
Citation: TypeAlias = Annotated[str, Meta(min_length=1)]
Modifier: TypeAlias = Annotated[str, Meta(min_length=2, max_length=2)]
Procedure: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9A-Z]{5}(?![\s\S])")]
CodeRange: TypeAlias = tuple[Procedure, Procedure]
"""First and last procedure code of a range, both included."""


class Adjustment(Struct, frozen=True, forbid_unknown_fields=True):
    """Reason codes of a denial or pend: group code, CARC, RARCs. Numbers only; the texts are X12's."""

    group: Literal["CO", "OA", "PI", "PR", "CR"]
    carc: Annotated[str, Meta(pattern="^[0-9A-Z]{1,4}$")]
    rarc: tuple[Annotated[str, Meta(pattern="^[A-Z]{1,2}[0-9]{1,4}$")], ...] = ()


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a rule stands in its source, and the reason codes of its denial where it can deny."""

    citation: Citation
    deny: Adjustment | None = None


class SiteIn(Struct, frozen=True, tag="site", tag_field="fact", forbid_unknown_fields=True):
    """The site is one of these."""

    one_of: tuple[Site, ...]


class IsTrue(Struct, frozen=True, tag="true", tag_field="fact", forbid_unknown_fields=True):
    """A yes/no fact is yes."""

    of: BooleanFact


class BordersAre(Struct, frozen=True, tag="borders", tag_field="fact", forbid_unknown_fields=True):
    """The clinical borders are one of these."""

    one_of: tuple[Borders, ...]


class HistologyHas(Struct, frozen=True, tag="histology", tag_field="fact", forbid_unknown_fields=True):
    """At least one of these histologic characteristics is documented."""

    any_of: tuple[Histology, ...]


class Diameter(Struct, frozen=True, tag="diameter_cm", tag_field="fact", forbid_unknown_fields=True):
    """The diameter in centimetres is at least, or strictly above, a threshold; exactly one is given."""

    at_least: Decimal | None = None
    above: Decimal | None = None


Criterion: TypeAlias = SiteIn | IsTrue | BordersAre | HistologyHas | Diameter


class Indication(Struct, frozen=True, forbid_unknown_fields=True):
    """One way for Mohs surgery to be necessary: met when any of its criteria is."""

    id: Id
    citation: Citation
    summary: str
    """What the indication asks, in the project's own words, for people and for the result's reason."""
    any_of: Annotated[tuple[Criterion, ...], Meta(min_length=1)]


class Necessity(Struct, frozen=True, forbid_unknown_fields=True):
    """Medical necessity: which lines are asked, and the indications of which any one suffices."""

    procedures: tuple[Procedure, ...]
    indications: Annotated[tuple[Indication, ...], Meta(min_length=1)]


class Structure(Struct, frozen=True, forbid_unknown_fields=True):
    """How stages and blocks are coded."""

    first_stages: tuple[Procedure, ...]
    """17311 and 17313."""
    additional_stages: Mapping[Procedure, Procedure]
    """An additional stage to its first stage: 17312 to 17311, 17314 to 17313."""
    additional_blocks: Procedure
    """17315."""
    blocks_included: int
    """Blocks of a stage that its own code covers; 17315 counts what is above, a stage."""
    central_procedures: tuple[Procedure, ...]
    """17311 and 17312: for ``central_sites``, or anywhere with deep structures involved."""
    peripheral_procedures: tuple[Procedure, ...]
    """17313 and 17314: for ``peripheral_sites``."""
    central_sites: tuple[Site, ...]
    peripheral_sites: tuple[Site, ...]
    distinct_lesion_modifiers: tuple[Modifier, ...]
    """59 and XS."""
    component_modifiers: tuple[Modifier, ...]
    """26 and TC: a Mohs surgeon does both parts, so neither may stand."""


class Bundling(Struct, frozen=True, forbid_unknown_fields=True):
    """What belongs to the Mohs service and what is paid beside it."""

    repairs: tuple[CodeRange, ...]
    biopsies: tuple[CodeRange, ...]
    biopsy_modifiers: tuple[Modifier, ...]
    pathology: tuple[CodeRange, ...]


class Edits(Struct, frozen=True, forbid_unknown_fields=True):
    """How the NCCI tables are applied."""

    em: tuple[CodeRange, ...]
    em_only_modifiers: tuple[Modifier, ...]
    """24, 25, 57: they bypass only on an E/M line itself."""


class Version(Struct, frozen=True, forbid_unknown_fields=True):
    """A version of a policy, in force from ``effective`` to ``until`` (both included; None is open)."""

    version: Id
    effective: date
    changes: str
    rules: dict[str, Rule]
    """By rule id, such as ``necessity.diagnosis-listed``."""
    until: date | None = None
    necessity: Necessity | None = None
    structure: Structure | None = None
    bundling: Bundling | None = None
    edits: Edits | None = None


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """A policy: its title as it is cited, where its text comes from, and its versions, oldest first."""

    id: Id
    title: str
    source: str
    pend: Adjustment
    """Reason codes of every pend; undated, since a pend for want of a version has none to ask."""
    versions: Annotated[tuple[Version, ...], Meta(min_length=1)]

    def on(self, day: date) -> Version | None:
        """The version in force on a day of service."""
        for version in reversed(self.versions):
            if version.effective <= day and (version.until is None or day <= version.until):
                return version
        return None


class Policies(Struct, frozen=True):
    """The policies a worker decides by, and which payer uses which necessity policy."""

    documents: Mapping[str, Document]
    """By id; ``mms-medical-policy``, ``mms-coding`` and ``ncci`` are always there."""
    necessity_by_payer: Mapping[str, str]
    default_necessity: str
    digest: str
    """``sha256:`` of the contents of every file that was read."""

    def necessity_id(self, payer_id: str) -> str:
        """The id of the document that says when Mohs surgery is necessary for a payer's members."""
        return self.necessity_by_payer.get(payer_id, self.default_necessity)
