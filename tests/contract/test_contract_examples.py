"""Every example of the schemas is a golden test: the real decision is the file beside it, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

from tests.contract.corpus import (
    EXAMPLES,
    EXPECTATIONS,
    example_files,
    example_name,
    history_files,
    load_schema,
    validator,
)
from tests.contract.modes import binary
from tests.contract.write_goldens import (
    decide,
    decide_history,
    expectation_beside,
    load_reference,
    pretty,
    results_beside,
)
from worker.adjudication import Reference, adjudicate_alone, decode, encode
from worker.adjudication.claim import DATA_TYPES, Event
from worker.adjudication.decode import Reason
from worker.adjudication.result import Basis, Cause, Decision, LineDecision, Needed, Outcome, Result

EVENT, RESULT = validator("cloudevent"), validator("claim-adjudicated")
FILES = example_files()
HISTORIES = history_files()
ACCEPTED = [path for path in FILES if path.parent.name != "rejected"]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference()


def expectations(suffix: str) -> list[Path]:
    return sorted(EXAMPLES.glob(f"*/*{suffix}"))


def results() -> list[dict[str, Any]]:
    texts = [path.read_text() for path in expectations(".result.json")]
    texts += [line for path in HISTORIES for line in results_beside(path).read_text().splitlines()]
    return [json.loads(text) for text in texts]


def findings_of(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for line in result["lines"]:
        yield from line["findings"]


@pytest.mark.parametrize("example", FILES, ids=example_name)
def test_an_example_is_decided_as_the_file_beside_it_says(example: Path, reference: Reference) -> None:
    suffix, compact = decide(example.read_bytes(), reference)
    expected = expectation_beside(example, suffix)
    assert expected.exists(), f"decided as {compact.decode()}"
    assert compact == orjson.dumps(orjson.loads(expected.read_bytes()))
    assert expected.read_bytes() == pretty(compact)


@pytest.mark.parametrize("example", ACCEPTED, ids=example_name)
def test_both_modes_are_decided_with_the_same_bytes(example: Path, reference: Reference) -> None:
    event, other = decode(example.read_bytes()), decode(*binary(json.loads(example.read_text())))
    assert isinstance(event, Event)
    assert isinstance(other, Event)
    decided, again = adjudicate_alone(event, reference), adjudicate_alone(other, reference)
    assert decided == again
    if isinstance(decided, Result) and isinstance(again, Result):
        assert encode(decided) == encode(again)


@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.stem)
def test_a_history_is_decided_as_the_file_beside_it_says(history: Path, reference: Reference) -> None:
    assert decide_history(history.read_bytes(), reference) == results_beside(history).read_bytes()


@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.stem)
def test_an_event_of_a_history_is_an_event_of_the_contract(history: Path) -> None:
    for line in history.read_text().splitlines():
        EVENT.validate(json.loads(line))


def test_an_expected_result_is_valid() -> None:
    for result in results():
        RESULT.validate(result)


@pytest.mark.parametrize("path", expectations(".rejected.json"), ids=lambda path: path.stem)
def test_an_expected_dead_letter_has_a_reason_of_the_closed_set(path: Path) -> None:
    letter = json.loads(path.read_text())
    assert list(letter) == ["reason", "path", "message"]
    assert letter["reason"] in get_args(Reason)


def test_every_example_has_one_expectation_and_every_expectation_an_example() -> None:
    expected = {path for suffix in EXPECTATIONS for path in expectations(suffix)}
    beside = [[expectation_beside(path, suffix) for suffix in EXPECTATIONS] for path in FILES]
    assert [len(expected.intersection(pair)) for pair in beside] == [1] * len(FILES)
    assert len(expected) == len(FILES)


def test_there_are_examples_of_every_event_type() -> None:
    types = {json.loads(path.read_text())["type"] for path in ACCEPTED}
    assert types == set(DATA_TYPES)


def test_event_ids_of_the_examples_are_unique() -> None:
    events = [path.read_text() for path in FILES]
    events += [line for path in HISTORIES for line in path.read_text().splitlines()]
    ids = [json.loads(event)["id"] for event in events]
    assert len(set(ids)) == len(ids)


def test_the_examples_show_every_outcome_and_decision() -> None:
    assert {result["outcome"] for result in results()} == {*get_args(Outcome)}
    decisions = {line["decision"] for result in results() for line in result["lines"]}
    assert decisions == set(get_args(Decision))


def test_the_examples_show_every_indication_met(reference: Reference) -> None:
    met = {
        (finding["policy"], finding["rule"])
        for result in results()
        for finding in findings_of(result)
        if finding["verdict"] == "met"
    }
    indications = {
        (document.id, f"necessity.{indication.id}")
        for document in reference.policies.documents.values()
        for version in document.versions
        for indication in (version.necessity.indications if version.necessity else ())
    }
    assert indications <= met


def test_the_examples_show_every_rule_that_can_deny(reference: Reference) -> None:
    violated = {
        finding["rule"]
        for result in results()
        for finding in findings_of(result)
        if finding["verdict"] == "violated"
    }
    deniable = {
        rule
        for document in reference.policies.documents.values()
        for version in document.versions
        for rule, text in version.rules.items()
        if text.deny is not None
    }
    assert deniable <= violated


def test_a_result_s_fields_are_the_schema_s_in_the_same_order() -> None:
    schema = load_schema("claim-adjudicated")
    parts = {"line_decision": LineDecision, "needed": Needed, "cause": Cause, "basis": Basis}
    assert list(schema["properties"]) == list(Result.__struct_fields__)
    for name, shape in parts.items():
        published = [field for field in shape.__struct_fields__ if field != "json"]
        assert list(schema["$defs"][name]["properties"]) == published
    for result in results():
        assert list(result) == list(schema["properties"])
        assert list(result["basis"]) == list(schema["$defs"]["basis"]["properties"])
        for line in result["lines"]:
            assert list(line) == list(schema["$defs"]["line_decision"]["properties"])


@pytest.mark.parametrize("place", ["result", "line", "finding", "adjustment", "cause", "basis", "needed"])
def test_a_result_is_closed(place: str) -> None:
    chosen = next(
        result for result in results() if result["documentation_needed"] and result["lines"][0]["adjustments"]
    )
    line = chosen["lines"][0]
    inner = {
        "result": chosen,
        "line": line,
        "finding": line["findings"][0],
        "adjustment": line["adjustments"][0],
        "cause": chosen["cause"],
        "basis": chosen["basis"],
        "needed": chosen["documentation_needed"][0],
    }[place]
    assert RESULT.is_valid(chosen)
    for field in list(inner):
        kept = inner.pop(field)
        assert not RESULT.is_valid(chosen), field
        inner[field] = kept
    inner["note"] = "more"
    assert not RESULT.is_valid(chosen)
