"""The events that come in, as typed, frozen values.

The shapes and bounds are those of ``schemas/``; ``tests/contract`` holds the two together. A fact that is
missing or null is ``None`` here: unknown, never false. An empty tuple is a statement: none. The values hold
no circles, so they are kept from the garbage collector (``gc=False``), which would look at each of them.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import Meta, Struct

from worker.adjudication.redacted import redacted

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=80)]

# The published form of these is told in ``published``; here are the bounds of their length.
Money: TypeAlias = Annotated[str, Meta(min_length=1, max_length=15)]
Centimetres: TypeAlias = Annotated[str, Meta(min_length=1, max_length=9)]
Procedure: TypeAlias = Annotated[str, Meta(min_length=5, max_length=5)]
Diagnosis: TypeAlias = Annotated[str, Meta(min_length=3, max_length=8)]
Modifier: TypeAlias = Annotated[str, Meta(min_length=2, max_length=2)]
FrequencyCode: TypeAlias = Literal["1", "7", "8"]

Site: TypeAlias = Literal[
    "scalp", "forehead", "temple", "eyebrow", "eyelid", "nose", "cheek", "ear", "lip", "perioral", "chin",
    "jawline", "face", "neck", "trunk", "breast", "arm", "hand", "leg", "pretibial", "ankle", "foot",
    "nail-unit", "genitalia", "perianal",
]  # fmt: skip
ANY_SITE: frozenset[str] = frozenset(get_args(Site))
FACE_SITES: frozenset[str] = frozenset({
    "forehead", "temple", "eyebrow", "eyelid", "nose", "cheek", "lip", "perioral", "chin", "jawline", "face",
})  # fmt: skip
"""What the umbrella word ``face`` stands for (policy §1, "Site")."""
Laterality: TypeAlias = Literal["left", "right", "bilateral", "midline"]
Borders: TypeAlias = Literal["ill-defined", "well-defined"]
Histology: TypeAlias = Literal[
    "sclerotic", "morpheaform", "fibrosing", "metatypical", "infiltrative", "spiky-cell-groups", "perineural",
    "perivascular", "nuclear-pleomorphism", "high-mitotic-activity", "superficial-multicentric", "nodular",
    "superficial", "well-differentiated", "in-situ", "other",
]  # fmt: skip
DeepStructure: TypeAlias = Literal["muscle", "cartilage", "bone", "tendon", "major-nerve", "major-vessel"]

MAX_LINES = 50
"""Lines of a claim at the most (contract, "Bounds")."""

SUBMITTED = "mms.claim.submitted.v1"
VOIDED = "mms.claim.voided.v1"
DOCUMENTED = "mms.documentation.received.v1"
EXPIRED = "mms.documentation.expired.v1"


@redacted
class BillingProvider(Struct, frozen=True, gc=False, omit_defaults=True):
    """Who bills. ``tin`` is the tax id; a missing one relates to nothing."""

    npi: Id
    tin: Id | None = None


@redacted
class RenderingProvider(Struct, frozen=True, gc=False):
    """Who did the work."""

    npi: Id


@redacted
class Stage(Struct, frozen=True, gc=False, omit_defaults=True):
    """One stage of the excision and the number of tissue blocks it was cut into."""

    blocks: Annotated[int, Meta(ge=1, le=99)] | None = None


@redacted
class Lesion(Struct, frozen=True, gc=False, omit_defaults=True):
    """What the records say of one lesion of the member on the service date."""

    lesion: Id
    site: Site | None = None
    laterality: Laterality | None = None
    diameter_cm: Centimetres | None = None
    borders: Borders | None = None
    recurrent: bool | None = None
    incompletely_excised: bool | None = None
    previously_irradiated: bool | None = None
    rapid_growth: bool | None = None
    high_risk_metastasis: bool | None = None
    histology: tuple[Histology, ...] | None = None
    direct_involvement: tuple[DeepStructure, ...] | None = None
    stages: Annotated[tuple[Stage, ...], Meta(max_length=20)] | None = None


@redacted
class Documentation(Struct, frozen=True, gc=False, omit_defaults=True):
    """The records sent with a claim. ``lesions=()`` says nothing of lesions it does not list."""

    immunosuppressed: bool | None = None
    lesions: Annotated[tuple[Lesion, ...], Meta(max_length=30)] | None = None


@redacted
class Line(Struct, frozen=True, gc=False, omit_defaults=True):
    """One billed service. ``diagnosis_pointers`` count from 1 into the claim's diagnoses."""

    line: Annotated[int, Meta(ge=1, le=999_999)]
    procedure: Procedure
    modifiers: Annotated[tuple[Modifier, ...], Meta(max_length=4)]
    units: Annotated[int, Meta(ge=1, le=9999)]
    diagnosis_pointers: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=12)], ...], Meta(min_length=1, max_length=4)
    ]
    service_date: date
    charge: Money
    lesion: Id | None = None


@redacted
class Claim(Struct, frozen=True, gc=False, omit_defaults=True):
    """Data of ``mms.claim.submitted.v1``: a professional claim as the platform received it."""

    claim_id: Id
    member_id: Id
    payer_id: Id
    frequency_code: FrequencyCode
    received_date: date
    billing_provider: BillingProvider
    diagnoses: Annotated[tuple[Diagnosis, ...], Meta(min_length=1, max_length=12)]
    lines: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=MAX_LINES)]
    original_claim_id: Id | None = None
    rendering_provider: RenderingProvider | None = None
    place_of_service: Id | None = None
    clia_number: Id | None = None
    documentation: Documentation | None = None


@redacted
class ClaimVoided(Struct, frozen=True, gc=False):
    """Data of ``mms.claim.voided.v1``."""

    claim_id: Id
    member_id: Id


@redacted
class DocumentationReceived(Struct, frozen=True, gc=False):
    """Data of ``mms.documentation.received.v1``: records that came after the claim."""

    claim_id: Id
    member_id: Id
    received_date: date
    documentation: Documentation


@redacted
class DocumentationExpired(Struct, frozen=True, gc=False):
    """Data of ``mms.documentation.expired.v1``: the time for sending records has run out."""

    claim_id: Id
    member_id: Id
    expired_date: date


EventData: TypeAlias = Claim | ClaimVoided | DocumentationReceived | DocumentationExpired

DATA_TYPES: dict[str, type[EventData]] = {
    SUBMITTED: Claim,
    VOIDED: ClaimVoided,
    DOCUMENTED: DocumentationReceived,
    EXPIRED: DocumentationExpired,
}


@redacted
class Event(Struct, frozen=True, gc=False):
    """A decoded input event.

    ``time`` is the CloudEvents time as it was written, or None; ``digest`` is the ``input_digest`` of the
    contract, ``sha256:`` and 64 hex digits, the same for binary and structured mode.
    """

    source: str
    id: str
    type: str
    time: str | None
    data: EventData
    digest: str
