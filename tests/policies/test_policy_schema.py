"""``schemas/policy.schema.json`` accepts exactly the files that have the form of the code's types."""

from __future__ import annotations

import copy
import tomllib
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.corpus import validator
from tests.contract.mutants import mutants
from worker.adjudication.policy import Document
from worker.policies.catalog import PACKAGE_POLICIES, PAYERS
from worker.policies.form import document_of

SCHEMA = validator("policy")
FILES = [path for path in sorted(PACKAGE_POLICIES.glob("*.toml")) if path.name != PAYERS]


def as_json(value: Any) -> Any:
    """Parsed TOML with its dates as JSON writes them."""
    if isinstance(value, dict):
        return {key: as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def in_toml(value: Any) -> bool:
    """Whether TOML can say it: TOML has no null, and keeps 5.0 apart from 5, which JSON Schema does not."""
    if isinstance(value, dict | list):
        return all(map(in_toml, value.values() if isinstance(value, dict) else value))
    return value is not None and not (isinstance(value, float) and value.is_integer())


SHIPPED = {path.stem: as_json(tomllib.loads(path.read_text())) for path in FILES}


def smallest_with_every_key() -> dict[str, Any]:
    """A policy with every section, both kinds of rule and every kind of criterion, and one member a list.

    It has the form of a policy, though no policy has all sections.
    """
    policy = copy.deepcopy(SHIPPED["mms-medical-policy"])
    (version,) = policy["versions"]
    version["until"] = "2030-12-31"
    version["rules"] = {rule: version["rules"][rule] for rule in ("bundling.biopsy", "bundling.repair")}
    for other, section in (("mms-coding", "structure"), ("ncci", "edits")):
        version[section] = SHIPPED[other]["versions"][0][section]
    (indication, *_) = version["necessity"]["indications"]
    indication["any_of"] = [
        {"fact": "site", "one_of": ["nose"]},
        {"fact": "true", "of": "recurrent"},
        {"fact": "borders", "one_of": ["ill-defined"]},
        {"fact": "histology", "any_of": ["nodular"]},
        {"fact": "diameter_cm", "above": "2"},
    ]
    version["necessity"]["indications"] = [indication]
    for section in ("structure", "bundling", "edits"):
        for key, value in version[section].items():
            version[section][key] = value[:1] if isinstance(value, list) else value
    return policy


def assert_agreement(policy: dict[str, Any]) -> bool:
    """The schema and the types both accept the policy, or neither does; says which."""
    document = document_of(policy)
    fault = next(SCHEMA.iter_errors(policy), None)
    assert isinstance(document, Document) is (fault is None), (document, fault and fault.message)
    return fault is None


@pytest.mark.parametrize("name", SHIPPED)
def test_the_schema_and_the_types_accept_the_shipped_policies(name: str) -> None:
    SCHEMA.validate(SHIPPED[name])
    assert isinstance(document_of(SHIPPED[name]), Document)


def test_the_schema_and_the_types_agree_on_every_mutant() -> None:
    policy = smallest_with_every_key()
    assert assert_agreement(policy)
    accepted = [assert_agreement(mutant.event) for mutant in mutants(policy) if in_toml(mutant.event)]
    assert len(accepted) > 1000
    assert set(accepted) == {True, False}


@pytest.mark.parametrize(
    ("bounds", "accepted"),
    [
        ({"at_least": "2.0"}, True),
        ({"above": "2"}, True),
        ({"above": "0.0001"}, True),
        ({}, False),
        ({"at_least": "2.0", "above": "2"}, False),
        ({"at_least": 2}, False),
        ({"at_least": 2.5}, False),
        ({"at_least": ""}, False),
        ({"at_least": "-2.0"}, False),
        ({"at_least": " 2.0"}, False),
        ({"at_least": "2.0\n"}, False),
        ({"at_least": "2e1"}, False),
        ({"at_least": "NaN"}, False),
        ({"at_least": "2_0"}, False),
        ({"at_least": "٢"}, False),
        ({"at_least": "2.00001"}, False),
        ({"at_most": "2.0"}, False),
    ],
)
def test_a_diameter_has_exactly_one_threshold_written_as_a_plain_decimal(
    bounds: dict[str, Any], accepted: bool
) -> None:
    policy = copy.deepcopy(SHIPPED["provider-candidacy"])
    indication = policy["versions"][0]["necessity"]["indications"][0]
    indication["any_of"] = [{"fact": "diameter_cm", **bounds}]
    assert assert_agreement(policy) is accepted


CRITERIA = st.fixed_dictionaries(
    {},
    optional={
        "fact": st.sampled_from(["site", "true", "borders", "histology", "diameter_cm", "laterality"]),
        "one_of": st.lists(st.sampled_from(["nose", "ill-defined", "nodular", "recurrent"]), max_size=2),
        "any_of": st.lists(st.sampled_from(["nose", "ill-defined", "nodular", "recurrent"]), max_size=2),
        "of": st.sampled_from(["recurrent", "immunosuppressed", "nose"]),
        "at_least": st.sampled_from(["2.0", "2,0", ""]),
        "above": st.sampled_from(["2", "two"]),
    },
)


@given(st.lists(CRITERIA, max_size=3))
def test_the_schema_and_the_types_agree_on_any_mixture_of_criteria(criteria: list[dict[str, Any]]) -> None:
    policy = copy.deepcopy(SHIPPED["provider-candidacy"])
    policy["versions"][0]["necessity"]["indications"][0]["any_of"] = criteria
    assert_agreement(policy)


@pytest.mark.parametrize("stage", ["17312", "1731", "173124", "1731a", ""])
def test_an_additional_stage_is_named_by_a_procedure_code(stage: str) -> None:
    policy = copy.deepcopy(SHIPPED["mms-coding"])
    policy["versions"][0]["structure"]["additional_stages"] = {stage: "17311"}
    assert assert_agreement(policy) is (stage == "17312")


def test_a_toml_date_and_a_quoted_date_are_the_same() -> None:
    quoted = SHIPPED["ncci"]
    native = copy.deepcopy(quoted)
    native["versions"][0]["effective"] = date(2019, 1, 1)
    assert document_of(native) == document_of(quoted)
