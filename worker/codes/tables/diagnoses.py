"""The policy's own diagnosis tables: its list, what a site group leaves possible, implied facts, gaps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, get_args

from worker.adjudication.claim import Site
from worker.codes.tables.rows import DIAGNOSIS, read_rows

SUFFIX = ".csv"
SITES: frozenset[str] = frozenset(get_args(Site))
ANY_SITE = "*"
LATERALITIES = ("", "left", "right", "unspecified")
CATEGORIES = ("immunosuppressed", "irradiated", "recurrent", "genetic", "metastasis")
IMPLYING = frozenset({"immunosuppressed", "irradiated"})
"""The other categories are kept as they were given and imply nothing."""


class PolicyDiagnosis(NamedTuple):
    """A diagnosis of the policy's list, as the file has it."""

    code: str
    site_group: str
    laterality: str


def parse_policy_diagnoses(text: str, source: Path) -> list[PolicyDiagnosis]:
    """The list in its order."""
    found: dict[str, PolicyDiagnosis] = {}
    for row in read_rows(text, source, ("code", "site_group", "laterality")):
        code = row.shaped("code", DIAGNOSIS)
        if code in found:
            raise row.fault(f"{code} stands here twice")
        laterality = row.one_of("laterality", LATERALITIES)
        found[code] = PolicyDiagnosis(code, row.text("site_group"), laterality)
    return list(found.values())


def parse_site_groups(text: str, source: Path) -> dict[str, frozenset[str]]:
    """The sites that each site group leaves possible."""
    groups: dict[str, frozenset[str]] = {}
    for row in read_rows(text, source, ("site_group", "sites")):
        group = row.text("site_group")
        sites = frozenset(row.text("sites").split())
        if group in groups:
            raise row.fault(f"site group {group!r} stands here twice")
        if sites == {ANY_SITE}:
            sites = SITES
        if not sites or not sites <= SITES:
            raise row.fault(f"unknown sites: {' '.join(sorted(sites - SITES)) or 'none named'}")
        groups[group] = sites
    return groups


def possible_sites(
    diagnoses: list[PolicyDiagnosis], groups: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    """Code to the sites that it leaves possible; ``KeyError`` names a site group that is unknown."""
    return {diagnosis.code: groups[diagnosis.site_group] for diagnosis in diagnoses}


def parse_supporting(text: str, source: Path) -> dict[str, str]:
    """Every supporting secondary diagnosis and its category, those that imply nothing too."""
    found: dict[str, str] = {}
    for row in read_rows(text, source, ("code", "category")):
        code = row.shaped("code", DIAGNOSIS)
        if code in found:
            raise row.fault(f"{code} stands here twice")
        found[code] = row.one_of("category", CATEGORIES)
    return found


def implied_facts(supporting: Mapping[str, str]) -> dict[str, str]:
    """Those supporting diagnoses that imply a fact: code to ``immunosuppressed`` or ``irradiated``."""
    return {code: category for code, category in supporting.items() if category in IMPLYING}


def parse_gaps(text: str, source: Path) -> list[str]:
    """Billable skin malignancies that the policy's list lacks: reported, never added."""
    return [row.shaped("code", DIAGNOSIS) for row in read_rows(text, source, ("code",))]
