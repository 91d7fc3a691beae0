"""The pure core with its reference data bound: what the stream decides by."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from worker.adjudication import adjudicate, encode
from worker.codes.errors import CodeSetError
from worker.codes.renewal import renewals
from worker.policies.errors import PolicyError
from worker.reference import load_reference
from worker.stream.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from worker.settings import Settings
    from worker.stream.deciding import Adjudicate, Encode


class Core(NamedTuple):
    """How to decide and encode, and what to tell of the reference data."""

    adjudicate: Adjudicate
    encode: Encode
    policy_digest: str
    codes_digest: str
    releases: tuple[tuple[str, str], ...]
    """Name and release of each code-set release loaded."""
    renewals: Mapping[str, date]
    """From when a newer release of a code set should be here, of those that have a rhythm."""
    policy_ends: Mapping[str, date | None]
    """Last day of each policy's newest version; None is open."""


def load_core(settings: Settings) -> Core:
    """Load policies and code sets. Raises Refused if a file does not check, with file, place and reason."""
    try:
        reference = load_reference(settings.policies_dir, settings.codes_dir, settings.payers_file)
    except (PolicyError, CodeSetError) as error:
        raise Refused(str(error)) from error
    sets = reference.code_sets.sets
    return Core(
        partial(adjudicate, reference=reference, limits=settings.limits),
        encode,
        reference.policies.digest,
        reference.code_sets.digest,
        tuple((dated.name, release) for dated in sets for _, release, _ in dated.releases),
        renewals(sets),
        {name: document.versions[-1].until for name, document in reference.policies.documents.items()},
    )
