"""The shipped policies say what their sources say, in force from their first day."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from worker.adjudication.claim import FACE_SITES, Site
from worker.adjudication.policy import (
    Adjustment,
    BordersAre,
    Criterion,
    Diameter,
    HistologyHas,
    IsTrue,
    Policies,
    SiteIn,
    Version,
)
from worker.policies.catalog import PACKAGE_POLICIES, load

FIRST_DAY = date(2019, 1, 1)
THE_DAY_BEFORE = date(2018, 12, 31)
DOCUMENTS = ("mms-coding", "mms-medical-policy", "ncci", "provider-candidacy")
MOHS = ("17311", "17312", "17313", "17314", "17315")


@pytest.fixture(scope="module")
def policies() -> Policies:
    return load()


def version_1(policies: Policies, policy: str) -> Version:
    (version,) = policies.documents[policy].versions
    assert version.version == "1"
    return version


def criteria(policies: Policies, policy: str) -> dict[str, tuple[Criterion, ...]]:
    necessity = version_1(policies, policy).necessity
    assert necessity is not None
    assert necessity.procedures == MOHS
    return {one.id: one.any_of for one in necessity.indications}


def sites_of(asked: tuple[Criterion, ...]) -> set[str]:
    (criterion,) = asked
    assert isinstance(criterion, SiteIn)
    return set(criterion.one_of)


@pytest.mark.parametrize("policy", DOCUMENTS)
def test_version_1_is_in_force_on_its_first_day_and_not_on_the_day_before(
    policies: Policies, policy: str
) -> None:
    document = policies.documents[policy]
    assert document.on(THE_DAY_BEFORE) is None
    assert document.on(FIRST_DAY) is document.on(date.max) is version_1(policies, policy)


def test_there_are_four_policies_and_their_files_are_named_by_id(policies: Policies) -> None:
    assert tuple(policies.documents) == DOCUMENTS
    assert all(document.id == name for name, document in policies.documents.items())


def test_payer_candidacy_uses_the_candidacy_criteria_and_every_other_payer_the_medical_policy(
    policies: Policies,
) -> None:
    assert policies.necessity_id("CANDIDACY") == "provider-candidacy"
    for payer in ("BCBSND", "candidacy", "", "CANDIDACY "):
        assert policies.necessity_id(payer) == "mms-medical-policy"


def test_the_medical_policy_has_nine_indications_in_the_order_of_its_text(policies: Policies) -> None:
    necessity = version_1(policies, "mms-medical-policy").necessity
    assert necessity is not None
    assert [(one.id, one.citation) for one in necessity.indications] == [
        ("high-recurrence-area", "Indications, item 1"),
        ("recurrent-or-incomplete", "Indications, item 2"),
        ("previously-irradiated", "Indications, item 3"),
        ("aggressive-or-rapid", "Indications, item 4 and its footnote"),
        ("ill-defined-borders", "Indications, item 5"),
        ("immunosuppressed", "Indications, item 6"),
        ("high-risk-metastasis", "Indications, item 7"),
        ("tissue-preservation", "Indications, item 8"),
        ("large-lesion", "Indications, item 9"),
    ]


def test_the_medical_policy_s_indications_ask_the_facts_of_its_text(policies: Policies) -> None:
    asked = criteria(policies, "mms-medical-policy")
    assert asked["recurrent-or-incomplete"] == (IsTrue("recurrent"), IsTrue("incompletely_excised"))
    assert asked["previously-irradiated"] == (IsTrue("previously_irradiated"),)
    assert asked["ill-defined-borders"] == (BordersAre(("ill-defined",)),)
    assert asked["immunosuppressed"] == (IsTrue("immunosuppressed"),)
    assert asked["high-risk-metastasis"] == (IsTrue("high_risk_metastasis"),)
    assert sites_of(asked["high-recurrence-area"]) == {
        "eyelid",
        "eyebrow",
        "nose",
        "lip",
        "perioral",
        "chin",
        "ear",
        "temple",
    }
    assert sites_of(asked["tissue-preservation"]) == FACE_SITES | {
        "ear",
        "hand",
        "foot",
        "nail-unit",
        "genitalia",
        "perianal",
    }


@pytest.mark.parametrize(
    "words",
    [
        {"sclerotic"},
        {"morpheaform"},
        {"fibrosing"},
        {"metatypical", "infiltrative", "spiky-cell-groups"},
        {"perineural", "perivascular"},
        {"nuclear-pleomorphism"},
        {"high-mitotic-activity"},
        {"superficial-multicentric"},
    ],
    ids=lambda words: " or ".join(sorted(words)),
)
def test_each_of_the_eight_histologic_characteristics_is_aggressive(
    policies: Policies, words: set[str]
) -> None:
    rapid, aggressive = criteria(policies, "mms-medical-policy")["aggressive-or-rapid"]
    assert rapid == IsTrue("rapid_growth")
    assert isinstance(aggressive, HistologyHas)
    assert words <= set(aggressive.any_of)
    assert len(aggressive.any_of) == 11


def test_two_centimetres_are_large_for_the_medical_policy_and_not_for_candidacy(policies: Policies) -> None:
    medical = criteria(policies, "mms-medical-policy")["large-lesion"]
    candidacy = criteria(policies, "provider-candidacy")["large-lesion"]
    assert medical == (Diameter(at_least=Decimal("2.0")),)
    assert candidacy == (Diameter(above=Decimal(2)),)


def test_candidacy_has_six_criteria_in_the_order_of_its_text(policies: Policies) -> None:
    asked = criteria(policies, "provider-candidacy")
    assert list(asked) == [
        "head-or-neck", "large-lesion", "ill-defined-borders", "recurrence-after-treatment",
        "incompletely-excised", "high-risk-features",
    ]  # fmt: skip
    assert sites_of(asked["head-or-neck"]) == FACE_SITES | {"scalp", "ear", "neck"}
    assert asked["recurrence-after-treatment"] == (IsTrue("recurrent"),)
    assert asked["incompletely-excised"] == (IsTrue("incompletely_excised"),)
    assert asked["high-risk-features"] == (
        HistologyHas(("perineural", "perivascular")),
        IsTrue("high_risk_metastasis"),
    )


def test_every_site_is_central_or_peripheral_and_none_is_both(policies: Policies) -> None:
    structure = version_1(policies, "mms-coding").structure
    assert structure is not None
    assert sorted(structure.central_sites + structure.peripheral_sites) == sorted(get_args(Site))
    assert set(structure.peripheral_sites) == {
        "trunk",
        "breast",
        "perianal",
        "arm",
        "leg",
        "pretibial",
        "ankle",
    }
    assert structure.additional_stages == {"17312": "17311", "17314": "17313"}
    assert (structure.additional_blocks, structure.blocks_included) == ("17315", 5)


def test_the_bundling_ranges_are_those_of_repairs_biopsies_and_pathology(policies: Policies) -> None:
    bundling = version_1(policies, "mms-medical-policy").bundling
    assert bundling is not None
    assert bundling.repairs == (
        ("12001", "13160"), ("14000", "14350"), ("15002", "15278"), ("15570", "15777"),
    )  # fmt: skip
    assert bundling.biopsies == (("11102", "11107"),)
    assert bundling.biopsy_modifiers == ("59", "XS")
    assert bundling.pathology == (("88300", "88399"),)


def test_evaluation_and_management_is_99201_to_99499_with_its_own_modifiers(policies: Policies) -> None:
    edits = version_1(policies, "ncci").edits
    assert edits is not None
    assert edits.em == (("99201", "99499"),)
    assert edits.em_only_modifiers == ("24", "25", "57")


REASON_CODES = {
    "necessity.diagnosis-known": "CO 146 M76",
    "necessity.diagnosis-billable": "CO 146 M81",
    "necessity.diagnosis-listed": "CO 50 N130",
    "necessity.indications": "CO 50 N130",
    "documentation.conflict": "",
    "documentation.expired": "CO 226 M127",
    "history.capacity": "",
    "history.readjudicated": "",
    "structure.component-modifier": "CO 4 N823",
    "structure.site-code": "CO 11 M76",
    "structure.same-lesion": "CO 97 M15",
    "structure.distinct-lesion-modifier": "CO 4 N822",
    "structure.first-stage-units": "CO 151 N362",
    "structure.documented-stages": "CO 151 N362",
    "structure.documented-blocks": "CO 151 N362",
    "structure.parent-absent": "CO 107 N122",
    "structure.parent-denied": "CO B15 N674",
    "structure.parent": "",
    "bundling.repair": "",
    "bundling.biopsy": "CO 97 M15",
    "bundling.pathology": "CO 97 M15",
    "ncci.pair": "CO 236 N20",
    "ncci.units-per-day": "CO 151 N362",
    "ncci.duplicate": "OA 18",
    "ncci.no-edit": "",
}


def written(adjustment: Adjustment | None) -> str:
    return " ".join((adjustment.group, adjustment.carc, *adjustment.rarc)) if adjustment else ""


@pytest.mark.parametrize("policy", DOCUMENTS)
def test_every_rule_denies_with_the_reason_codes_of_the_specification(
    policies: Policies, policy: str
) -> None:
    for rule, said in version_1(policies, policy).rules.items():
        assert written(said.deny) == REASON_CODES[rule], rule
        assert said.citation


def test_every_rule_of_the_specification_is_in_a_policy(policies: Policies) -> None:
    assert {rule for policy in DOCUMENTS for rule in version_1(policies, policy).rules} == set(REASON_CODES)


@pytest.mark.parametrize("policy", DOCUMENTS)
def test_a_pend_carries_oa_133(policies: Policies, policy: str) -> None:
    assert written(policies.documents[policy].pend) == "OA 133"


def test_the_digest_is_of_the_contents_of_every_file_in_the_order_of_their_names(policies: Policies) -> None:
    contents = [(PACKAGE_POLICIES / f"{name}.toml").read_bytes() for name in (*DOCUMENTS, "payers")]
    digest = hashlib.sha256(b"".join(len(content).to_bytes(8) + content for content in contents))
    assert policies.digest == f"sha256:{digest.hexdigest()}"


def test_reading_policies_loads_no_code_set_and_no_terminal_library() -> None:
    """Policies are read on the worker's way to its first JoinGroup."""
    script = "import sys, worker.policies.catalog as c; c.load(); print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert "worker.adjudication.policy" in modules
    assert not {"worker.codes", "rich", "pydantic", "aiokafka", "faust"} & set(modules)
