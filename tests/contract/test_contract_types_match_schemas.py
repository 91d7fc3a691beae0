"""The code accepts exactly what the schemas and their rules accept, in both CloudEvents modes."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.corpus import example_documents, keeps_cross_field_rules, load_schema, validator
from tests.contract.modes import binary, structured
from tests.contract.mutants import FOREIGN_VALUES, Mutant, generic, json_path, mutants, places, replaced
from worker.adjudication.claim import DATA_TYPES, Event
from worker.adjudication.decode import Rejected, decode

ENVELOPE = validator("cloudevent")
EXAMPLES = example_documents()
RICHEST = "claim-submitted/blocks-17315-within-and-over"
EVENT_TYPES = sorted(DATA_TYPES)


def full_claim() -> dict[str, Any]:
    """An example with every optional field filled in, so that a mutant can be made of each."""
    event = copy.deepcopy(EXAMPLES[RICHEST])
    event["data"] |= {"frequency_code": "7", "original_claim_id": "CLM-EX-ORIGINAL"}
    event["data"]["documentation"] = {
        "immunosuppressed": False,
        "lesions": [
            {
                "lesion": "A", "site": "nose", "laterality": "midline", "diameter_cm": "1.2",
                "borders": "ill-defined", "recurrent": False, "incompletely_excised": False,
                "previously_irradiated": True, "rapid_growth": False, "high_risk_metastasis": False,
                "histology": ["morpheaform", "nodular"], "direct_involvement": ["cartilage"],
                "stages": [{"blocks": 6}, {"blocks": 7}],
            },
        ],
    }  # fmt: skip
    return event


def schemas_accept(event: object) -> bool:
    return ENVELOPE.is_valid(event) and isinstance(event, dict) and keeps_cross_field_rules(event)


def assert_code_agrees(event: dict[str, Any]) -> Event | Rejected:
    """Decode in both modes, compare each with the schemas, and the two with each other."""
    expected = schemas_accept(event)
    decoded = decode(structured(event))
    faults = [error.message for error in ENVELOPE.iter_errors(event)]
    assert isinstance(decoded, Event) is expected, (decoded, faults)
    attributes_are_text = all(
        isinstance(event.get(name), str) for name in ("specversion", "id", "source", "type")
    ) and isinstance(event.get("time", ""), str)
    if attributes_are_text and "data" in event:
        other = decode(*binary(event))
        assert isinstance(other, Event) is expected, other
        if isinstance(decoded, Event) and isinstance(other, Event):
            assert other == decoded
    return decoded


@cache
def mutants_of_every_field() -> list[Mutant]:
    """Mutants of all examples, one for each field and change, whatever line or lesion it is in."""
    found: dict[tuple[object, ...], Mutant] = {}
    for event in (full_claim(), *EXAMPLES.values()):
        for mutant in mutants(event):
            found.setdefault((event["type"], generic(mutant.path), mutant.change), mutant)
    return list(found.values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_code_and_schemas_agree_on_every_example(name: str) -> None:
    assert_code_agrees(EXAMPLES[name])


def test_code_and_schemas_agree_on_every_mutant_of_every_field() -> None:
    for mutant in mutants_of_every_field():
        try:
            assert_code_agrees(mutant.event)
        except AssertionError as error:
            error.add_note(f"{json_path(mutant.path)} {mutant.change}")
            raise


def test_a_rejection_names_the_place_that_the_schemas_name() -> None:
    for mutant in mutants_of_every_field():
        decoded = decode(structured(mutant.event))
        if (
            isinstance(decoded, Rejected)
            and decoded.reason == "contract"
            and not ENVELOPE.is_valid(mutant.event)
        ):
            at_the_change = json_path(mutant.path)
            around_it = json_path(mutant.path[:-1])
            assert decoded.path == around_it or decoded.path.startswith(at_the_change), (mutant[:2], decoded)


def many(value: Any, count: int) -> list[Any]:
    return [copy.deepcopy(value) for _ in range(count)]


LINE = full_claim()["data"]["lines"][0]
LESION = full_claim()["data"]["documentation"]["lesions"][0]

BOUNDS: dict[str, tuple[str, dict[object, bool]]] = {
    "lines": ("data.lines", {count: 1 <= count <= 50 for count in (0, 1, 2, 49, 50, 51)}),
    "diagnoses": ("data.diagnoses", {count: 1 <= count <= 12 for count in (0, 1, 12, 13)}),
    "modifiers of a line": ("data.lines.0.modifiers", {count: count <= 4 for count in (0, 1, 4, 5)}),
    "pointers of a line": (
        "data.lines.0.diagnosis_pointers", {count: 1 <= count <= 4 for count in (0, 1, 4, 5)},
    ),
    "lesions": ("data.documentation.lesions", {count: count <= 30 for count in (0, 1, 30, 31)}),
    "stages of a lesion": (
        "data.documentation.lesions.0.stages", {count: count <= 20 for count in (0, 1, 20, 21)},
    ),
}  # fmt: skip


def repeated(path: str, count: int) -> list[Any]:
    """That many items for a list, distinct where the contract wants it."""
    match path.rpartition(".")[2]:
        case "lines":
            return [{**LINE, "line": number + 1, "diagnosis_pointers": [1]} for number in range(count)]
        case "lesions":
            return [{**LESION, "lesion": f"L{number}"} for number in range(count)]
        case "diagnoses":
            return many("C44.311", count)
        case "modifiers":
            return many("59", count)
        case "diagnosis_pointers":
            return many(1, count)
        case _:
            return many({"blocks": 1}, count)


def steps(path: str) -> tuple[str | int, ...]:
    return tuple(int(step) if step.isdigit() else step for step in path.split("."))


@pytest.mark.parametrize("name", BOUNDS)
def test_a_list_is_accepted_exactly_within_its_bounds(name: str) -> None:
    path, cases = BOUNDS[name]
    for count, accepted in cases.items():
        assert isinstance(count, int)
        event = replaced(full_claim(), steps(path), repeated(path, count))
        assert isinstance(assert_code_agrees(event), Event) is accepted, count


ID_FIELDS = (
    "data.claim_id", "data.member_id", "data.payer_id", "data.original_claim_id", "data.billing_provider.npi",
    "data.billing_provider.tin", "data.rendering_provider.npi", "data.place_of_service", "data.clia_number",
    "data.lines.0.lesion", "data.documentation.lesions.0.lesion",
)  # fmt: skip


@pytest.mark.parametrize("path", ID_FIELDS)
@pytest.mark.parametrize("character", ["x", "é", "氏", "😀", "\u0000", "\u2028", '"', "\\"])
def test_an_identifier_has_1_to_80_code_points(path: str, character: str) -> None:
    for length, accepted in {0: False, 1: True, 80: True, 81: False}.items():
        event = replaced(full_claim(), steps(path), character * length)
        assert isinstance(assert_code_agrees(event), Event) is accepted, length


@pytest.mark.parametrize(
    ("path", "value", "accepted"),
    [
        ("data.lines.0.units", 0, False),
        ("data.lines.0.units", 1, True),
        ("data.lines.0.units", 9999, True),
        ("data.lines.0.units", 10000, False),
        ("data.lines.0.units", 9999.0, True),
        ("data.lines.0.units", 9999.5, False),
        ("data.lines.0.line", 0, False),
        ("data.lines.0.line", 999_999, True),
        ("data.lines.0.line", 1_000_000, False),
        ("data.lines.0.line", 2, False),  # the second line's number
        ("data.lines.0.diagnosis_pointers", [0], False),
        ("data.lines.0.diagnosis_pointers", [1.0], True),
        ("data.lines.0.diagnosis_pointers", [2], False),  # there is one diagnosis
        ("data.lines.0.diagnosis_pointers", [13], False),
        ("data.documentation.lesions.0.stages.0.blocks", 0, False),
        ("data.documentation.lesions.0.stages.0.blocks", 1, True),
        ("data.documentation.lesions.0.stages.0.blocks", 99, True),
        ("data.documentation.lesions.0.stages.0.blocks", 100, False),
        ("data.documentation.lesions.0.stages.0.blocks", None, True),
        ("data.lines.0.charge", "0", True),
        ("data.lines.0.charge", "999999999999.99", True),
        ("data.lines.0.charge", "1000000000000", False),
        ("data.lines.0.charge", "1.", False),
        ("data.lines.0.charge", ".50", False),
        ("data.lines.0.charge", "1.999", False),
        ("data.lines.0.charge", "-1.00", False),
        ("data.lines.0.charge", 12.5, False),
        ("data.lines.0.charge", 12.0, False),
        ("data.documentation.lesions.0.diameter_cm", "2.0", True),
        ("data.documentation.lesions.0.diameter_cm", "9999.9999", True),
        ("data.documentation.lesions.0.diameter_cm", "10000", False),
        ("data.documentation.lesions.0.diameter_cm", "1.00001", False),
        ("data.documentation.lesions.0.diameter_cm", "-0.1", False),
        ("data.documentation.lesions.0.diameter_cm", 2, False),
        ("data.lines.0.service_date", "2024-02-29", True),
        ("data.lines.0.service_date", "2025-02-29", False),
        ("data.lines.0.service_date", "2026-13-01", False),
        ("data.lines.0.service_date", "2026-W05-1", False),
        ("data.lines.0.service_date", "2026-04-28\n", False),
        ("data.lines.0.service_date", "2026-04-28 ", False),
        ("data.lines.0.service_date", "٢٠٢٦-04-28", False),
        ("data.lines.0.procedure", "G0452", True),
        ("data.lines.0.procedure", "1731", False),
        ("data.lines.0.procedure", "g0452", False),
        ("data.lines.0.modifiers", ["XS", "59", "LT", "RT"], True),
        ("data.lines.0.modifiers", ["5"], False),
        ("data.lines.0.modifiers", ["xs"], False),
        ("data.diagnoses", ["C4A.0"], True),
        ("data.diagnoses", ["C52"], True),
        ("data.diagnoses", ["C44.311\n"], False),
        ("data.diagnoses", ["C44."], False),
        ("data.diagnoses", ["C44.31111"], False),
        ("data.frequency_code", "8", True),
        ("data.frequency_code", "2", False),
        ("data.frequency_code", 7, False),
        ("data.original_claim_id", None, False),  # the event is a replacement
        ("data.original_claim_id", "CLM-EX-039", False),  # itself
        ("data.documentation", None, True),
        ("data.documentation.lesions.0.histology", [], True),
        ("data.documentation.lesions.0.histology", ["nodular", "nodular"], True),
        ("data.documentation.lesions", [LESION, LESION], False),
        ("id", "x" * 256, True),
        ("id", "x" * 257, False),
        ("source", "x" * 1024, True),
        ("source", "x" * 1025, False),
        ("specversion", "1.0.1", False),
        ("time", "2026-05-04T14:05:00.123456789+05:30", True),
        ("time", "2026-05-04t14:05:00z", True),
        ("time", "2026-05-04T14:05:00", False),
        ("time", "2026-05-04T24:00:00Z", False),
        ("time", "2026-05-04T14:05:00Z\n", False),
    ],
)  # fmt: skip
def test_a_value_is_accepted_exactly_within_its_form_and_bounds(
    path: str, value: object, accepted: bool
) -> None:
    event = full_claim()
    event["data"]["claim_id"] = "CLM-EX-039"
    assert isinstance(assert_code_agrees(event), Event)
    assert isinstance(assert_code_agrees(replaced(event, steps(path), value)), Event) is accepted


@pytest.mark.parametrize("missing", ["dropped", "null"])
def test_a_replacement_without_its_original_is_rejected_and_an_original_claim_is_not(missing: str) -> None:
    for code, accepted in {"1": True, "7": False, "8": False}.items():
        event = replaced(full_claim(), ("data", "frequency_code"), code)
        event["data"]["original_claim_id"] = None
        if missing == "dropped":
            del event["data"]["original_claim_id"]
        assert isinstance(assert_code_agrees(event), Event) is accepted


def test_an_absent_optional_field_and_a_null_one_are_the_same_event() -> None:
    event = full_claim()
    event["data"]["frequency_code"] = "1"
    optional = [
        path for path in places(event) if path[-1] != "time" and schemas_accept(replaced(event, path, None))
    ]
    assert len(optional) >= 18
    for path in optional:
        if isinstance(path[-1], str):
            null = decode(structured(replaced(event, path, None)))
            absent = copy.deepcopy(event)
            inner: Any = absent
            for step in path[:-1]:
                inner = inner[step]
            del inner[path[-1]]
            assert decode(structured(absent)) == null
            assert decode(*binary(absent)) == null


def test_an_empty_list_and_an_absent_one_are_not_the_same_event() -> None:
    for field in ("histology", "direct_involvement", "stages"):
        path = ("data", "documentation", "lesions", 0, field)
        empty = decode(structured(replaced(full_claim(), path, [])))
        absent = decode(structured(replaced(full_claim(), path, None)))
        assert isinstance(empty, Event)
        assert isinstance(absent, Event)
        assert empty.digest != absent.digest


def test_the_digest_follows_what_the_contract_knows_and_nothing_else() -> None:
    event = full_claim()
    decoded = decode(structured(event))
    assert isinstance(decoded, Event)
    same = [
        {**event, "time": "2026-06-01T00:00:00Z"},
        {**event, "datacontenttype": "application/json", "subject": "x", "extension": 1},
        {**event, "data": {**event["data"], "patient_name": "ignored"}},
        dict(reversed(event.items())),
    ]
    other = [
        {**event, "id": "another"},
        {**event, "source": "another"},
        {**event, "data": {**event["data"], "payer_id": "another"}},
    ]
    for each in same:
        again = decode(json.dumps(each, indent=3, ensure_ascii=False).encode())
        assert isinstance(again, Event)
        assert again.digest == decoded.digest
    for each in other:
        again = decode(structured(each))
        assert isinstance(again, Event)
        assert again.digest != decoded.digest


def test_every_vocabulary_of_the_schemas_is_the_code_s() -> None:
    words = {
        name: part["enum"] for name, part in load_schema("definitions")["$defs"].items() if "enum" in part
    }
    fields = {"site": "site", "laterality": "laterality", "borders": "borders"}
    lists = {"histology": "histology", "deep_structure": "direct_involvement"}
    assert words.keys() == {*fields, *lists}
    for name, field in fields.items():
        for word in words[name]:
            path = ("data", "documentation", "lesions", 0, field)
            assert isinstance(assert_code_agrees(replaced(full_claim(), path, word)), Event)
    for name, field in lists.items():
        path = ("data", "documentation", "lesions", 0, field)
        assert isinstance(assert_code_agrees(replaced(full_claim(), path, words[name])), Event)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=90) | st.sampled_from(FOREIGN_VALUES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@st.composite
def changed_events(draw: st.DrawFn) -> dict[str, Any]:
    """An example with up to three of its places replaced by anything, or by what stands in another place."""
    event: dict[str, Any] = copy.deepcopy(draw(st.sampled_from([full_claim(), *EXAMPLES.values()])))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(event))))
        event = replaced(event, path, draw(anything))
    return event


@settings(max_examples=300, deadline=None)
@given(changed_events())
def test_code_and_schemas_agree_on_generated_events(event: dict[str, Any]) -> None:
    assert_code_agrees(event)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(EVENT_TYPES), anything)
def test_code_and_schemas_agree_on_any_data(event_type: str, data: object) -> None:
    assert_code_agrees({"specversion": "1.0", "id": "1", "source": "/s", "type": event_type, "data": data})
