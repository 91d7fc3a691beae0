"""Every code set by name: where its releases lie and what reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from worker.adjudication.codesets import Mue
from worker.codes.tables import add_ons, diagnoses, icd10cm, modifiers, pairs, units, vocabularies

Table_co = TypeVar("Table_co", covariant=True)


@dataclass(frozen=True)
class CodeSet(Generic[Table_co]):
    """A kind of table: its folder, the suffix of its files, and the function from text to table."""

    name: str
    holds: str
    """What it holds, for people."""
    suffix: str
    parse: Callable[[str, Path], Table_co]
    renewed_months: int | None = None
    """After how many months its publisher's next release is in force; None where there is no such rhythm."""


ICD10CM: CodeSet[dict[str, bool]] = CodeSet(
    "icd10cm", "ICD-10-CM: every code, billable or header", icd10cm.SUFFIX, icd10cm.parse_icd10cm, 12
)
DIAGNOSES: CodeSet[list[diagnoses.PolicyDiagnosis]] = CodeSet(
    "mms-diagnoses", "the policy's diagnoses", diagnoses.SUFFIX, diagnoses.parse_policy_diagnoses
)
SITE_GROUPS: CodeSet[dict[str, frozenset[str]]] = CodeSet(
    "mms-site-groups",
    "sites that a site group leaves possible",
    diagnoses.SUFFIX,
    diagnoses.parse_site_groups,
)
SUPPORTING: CodeSet[dict[str, str]] = CodeSet(
    "mms-implied-facts", "supporting secondary diagnoses", diagnoses.SUFFIX, diagnoses.parse_supporting
)
GAPS: CodeSet[list[str]] = CodeSet(
    "mms-diagnosis-gaps", "skin malignancies that the policy lacks", diagnoses.SUFFIX, diagnoses.parse_gaps
)
PAIRS: CodeSet[pairs.Pairs] = CodeSet(
    "ncci-ptp", "NCCI procedure-to-procedure edits", pairs.SUFFIX, pairs.parse_pairs, 3
)
UNITS: CodeSet[dict[str, Mue]] = CodeSet(
    "ncci-mue", "NCCI medically unlikely edits", units.SUFFIX, units.parse_units, 3
)
ADD_ONS: CodeSet[list[add_ons.AddOnEdit]] = CodeSet(
    "ncci-aoc", "NCCI add-on code edits", add_ons.SUFFIX, add_ons.parse_add_ons, 3
)
BYPASS_MODIFIERS: CodeSet[frozenset[str]] = CodeSet(
    "ncci-modifiers", "modifiers that bypass an edit", modifiers.SUFFIX, modifiers.parse_bypass_modifiers
)
MODIFIERS: CodeSet[dict[str, str]] = CodeSet(
    "modifiers", "CPT and HCPCS modifiers", vocabularies.SUFFIX, vocabularies.parse_modifiers
)
PLACES: CodeSet[dict[str, str]] = CodeSet(
    "places-of-service", "places of service", vocabularies.SUFFIX, vocabularies.parse_places
)
FEE_SCHEDULE: CodeSet[dict[tuple[str, str], vocabularies.FeeScheduleEntry]] = CodeSet(
    "mpfs", "Medicare fee-schedule indicators", vocabularies.SUFFIX, vocabularies.parse_fee_schedule
)
REASONS: CodeSet[dict[tuple[str, str], vocabularies.Validity]] = CodeSet(
    "reason-codes", "group codes, CARC and RARC", vocabularies.SUFFIX, vocabularies.parse_reasons
)

ALL: tuple[CodeSet[Any], ...] = (
    ICD10CM, DIAGNOSES, SITE_GROUPS, SUPPORTING, GAPS, PAIRS, UNITS, ADD_ONS, BYPASS_MODIFIERS, MODIFIERS,
    PLACES, FEE_SCHEDULE, REASONS,
)  # fmt: skip
"""Every code set, those that decide first."""
