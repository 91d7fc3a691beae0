"""Every way in which a published result can differ is told as what it is, and nothing else is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.replay.replaykit import Case, made_up, replayed
from tests.unredacted import spelled_out
from worker.adjudication import Limits
from worker.adjudication.encode import result_id_of
from worker.adjudication.reference import digest_of
from worker.adjudication.result import Cause
from worker.codes import catalog as codes
from worker.policies import catalog as policies
from worker.replay.planning.plan import Asked
from worker.replay.reading.window import Bounds, Moment

AT = 30
"""A result in the middle: of a claim with lines, which is decided again later."""


@pytest.fixture(scope="module")
def case() -> Case:
    return made_up(120, members=20)


def flipped(value: bytes, place: int, bit: int = 1) -> bytes:
    return value[:place] + bytes([value[place] ^ bit]) + value[place + 1 :]


def changed(value: bytes, **fields: object) -> bytes:
    """A result with other content, its id made to fit again."""
    said = orjson.loads(value)
    said.update(fields)
    cause = Cause(**said["cause"])
    digests = said["basis"]["digest"], said["basis"]["history_digest"]
    said["result_id"] = result_id_of(said["claim_id"], said["revision"], cause, *digests)
    return orjson.dumps(said)


def with_results(case: Case, change: Callable[[list[bytes]], object]) -> Case:
    results = list(case.results)
    change(results)
    return Case(case.events, results)


def tampered_at(case: Case, place: int, bit: int = 1) -> Case:
    value = flipped(case.results[AT], place, bit)
    return with_results(case, lambda results: results.__setitem__(AT, value))


def test_what_was_published_is_reproduced_and_counted_on_both_sides(tmp_path: Path, case: Case) -> None:
    found = replayed(tmp_path, case)
    counts = found.counts
    assert found.rows == []
    assert counts.results_by_cause == {}
    assert counts.reproduced == counts.results_published == counts.results_decided == len(case.results)
    assert counts.outcomes_before == counts.outcomes_after
    assert sum(counts.outcomes_after.values()) == len(case.results)
    assert counts.events_replayed == len(case.events)
    assert sum(counts.events_rejected.values()) > 0


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("bit", [1, 0x20])
def test_a_changed_byte_is_tampered_wherever_it_is(tmp_path: Path, case: Case, parts: int, bit: int) -> None:
    for place in range(0, len(case.results[AT]), 307):
        found = replayed(tmp_path / str(place), tampered_at(case, place, bit), parts=parts)
        assert found.counts.results_by_cause == {"tampered": 1}, place


@pytest.mark.soak
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("bit", [1, 2, 4, 8, 16, 32, 64, 128])
def test_a_changed_bit_is_tampered_wherever_it_is(tmp_path: Path, case: Case, parts: int, bit: int) -> None:
    for place in range(len(case.results[AT])):
        if flipped(case.results[AT], place, bit)[place] not in b"\r\n":  # which would be two lines
            found = replayed(tmp_path, tampered_at(case, place, bit), parts=parts)
            assert found.counts.results_by_cause == {"tampered": 1}, place


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("name", [b"result_id", b"claim_id", b"member_id", b"outcome", b"digest", b"lines"])
def test_a_changed_byte_is_tampered_in_every_field(
    tmp_path: Path, case: Case, parts: int, name: bytes
) -> None:
    place = case.results[AT].index(b'"' + name + b'":') + len(name) + 6
    counts = replayed(tmp_path, tampered_at(case, place), parts=parts).counts
    assert counts.results_by_cause == {"tampered": 1}
    assert counts.results_published == len(case.results)


def test_a_result_that_is_gone_is_missing_with_every_line(tmp_path: Path, case: Case) -> None:
    said = orjson.loads(case.results[AT])
    found = replayed(tmp_path, with_results(case, lambda results: results.pop(AT)))
    assert found.counts.results_by_cause == {"missing": 1}
    assert found.counts.outcome_flows["none"] == {said["outcome"]: 1}
    assert [(row.line, row.change, row.decision_before, row.decision_after) for row in found.rows] == [
        (line["line"], "result", None, line["decision"]) for line in said["lines"]
    ]
    assert {row.result_id_after for row in found.rows} == {said["result_id"]}


@pytest.mark.parametrize("at", [AT + 1, AT + 40, None], ids=["beside-it", "later", "at-the-end"])
def test_a_result_that_is_there_twice_is_extra_once(tmp_path: Path, case: Case, at: int | None) -> None:
    place = len(case.results) if at is None else at
    twice = with_results(case, lambda results: results.insert(place, case.results[AT]))
    found = replayed(tmp_path, twice)
    assert found.counts.results_by_cause == {"extra": 1}
    assert found.counts.reproduced == len(case.results)
    assert {row.result_offset for row in found.rows} == {place}
    assert {row.cause for row in found.rows} == {"extra"}


@pytest.mark.parametrize("at", [0, AT, None], ids=["first", "within", "last"])
def test_a_result_that_no_event_has_brought_about_is_extra(
    tmp_path: Path, case: Case, at: int | None
) -> None:
    cause = {"source": "/elsewhere", "id": "never", "type": "mms.claim.submitted.v1"}
    foreign = changed(case.results[AT], cause=cause)
    place = len(case.results) if at is None else at
    found = replayed(tmp_path, with_results(case, lambda results: results.insert(place, foreign)))
    assert found.counts.results_by_cause == {"extra": 1}
    assert {row.offset for row in found.rows} == {None}
    assert found.outcomes[0].examples[0].why.startswith("The event that it names")


def test_a_decision_that_was_changed_with_an_id_that_fits_is_tampered_still(
    tmp_path: Path, case: Case
) -> None:
    forged = changed(case.results[AT], outcome="void", lines=[])
    found = replayed(tmp_path, with_results(case, lambda results: results.__setitem__(AT, forged)))
    assert found.counts.results_by_cause == {"tampered": 1}
    assert {row.outcome_before for row in found.rows} == {"void"}


def test_results_that_were_decided_with_an_event_that_is_gone_differ_by_history(tmp_path: Path) -> None:
    """Without a claim's first event everything that came after it says another history."""
    case = made_up(400, members=40)
    told = [orjson.loads(value) for value in case.results]
    first = told[200]["cause"]["id"]
    rest = [line for line in case.events if orjson.loads(line)["id"] != first]
    found = replayed(tmp_path, Case(rest, case.results))
    causes = found.counts.results_by_cause
    assert causes["extra"] >= 1
    assert causes["history"] >= 1
    assert set(causes) <= {"extra", "history", "missing"}
    members = {said["member_id"] for said in told if said["cause"]["id"] == first}
    theirs = {said["claim_id"] for said in told if said["member_id"] in members}
    assert {row.claim_id for row in found.rows} <= theirs


def test_results_of_an_earlier_engine_differ_by_engine(tmp_path: Path, case: Case) -> None:
    """Their basis is found by the engine that they name, and is decided by this one."""
    digest = digest_of("0.1.9", policies.load().digest, codes.load().digest)

    def earlier(value: bytes) -> bytes:
        basis = orjson.loads(value)["basis"] | {"engine": "0.1.9", "digest": digest}
        return changed(value, basis=basis)

    found = replayed(tmp_path, Case(case.events, [earlier(value) for value in case.results]))
    assert found.counts.results_by_cause == {"engine": len(case.results)}
    assert {row.change for row in found.rows} == {"bytes"}


def test_files_in_any_order_of_members_come_to_the_same(tmp_path: Path, case: Case) -> None:
    """As archives of several partitions one behind the other, beside events as they came in."""
    by_member = sorted(case.results, key=lambda value: orjson.loads(value)["member_id"])
    counts = replayed(tmp_path, Case(case.events, by_member)).counts
    assert counts.reproduced == len(case.results)
    assert counts.results_by_cause == {}


def test_many_results_that_are_gone_or_doubled_are_told_one_by_one(tmp_path: Path) -> None:
    case = made_up(600, members=60)
    results = [*case.results[:100], *case.results[250:400], *case.results[300:]]
    counts = replayed(tmp_path, Case(case.events, results)).counts
    assert counts.results_by_cause == {"missing": 150, "extra": 100}
    assert counts.reproduced == len(case.results) - 150


def test_rows_and_claims_shown_tell_of_the_patient_only_if_asked_to(tmp_path: Path, case: Case) -> None:
    one_less = with_results(case, lambda results: results.pop(AT))
    (without, with_phi) = [
        replayed(tmp_path / str(asked), one_less, Asked(Limits(), with_phi=asked)) for asked in (False, True)
    ]
    said = orjson.loads(case.results[AT])
    assert all(
        row.member_id is row.procedure is row.charge is row.service_date is None for row in without.rows
    )
    text = str(spelled_out(without.outcomes[0].examples))
    assert said["member_id"] not in text
    assert all(
        finding["reason"] not in text for line in said["lines"] for finding in line["findings"]
    )  # fmt: skip
    assert {row.member_id for row in with_phi.rows} == {said["member_id"]}
    assert all(row.charge and row.procedure and row.service_date for row in with_phi.rows)
    assert said["lines"][0]["findings"][0]["reason"] in str(spelled_out(with_phi.outcomes[0].examples))


def test_a_result_that_supersedes_one_that_differs_by_history_differs_by_history_too(tmp_path: Path) -> None:
    """Its own digests are the replay's again, when the look-back has dropped the event that is gone."""
    case = made_up(900, seed=7, members=12)
    for gone in range(0, 300, 60):
        rest = [*case.events[:gone], *case.events[gone + 1 :]]
        counts = replayed(tmp_path / str(gone), Case(rest, case.results)).counts
        assert set(counts.results_by_cause) <= {"extra", "history", "missing"}, gone


@pytest.mark.parametrize("field", ["outcome", "decision", "verdict", "rule", "citation", "carc", "group"])
def test_a_changed_word_is_not_passed_on(tmp_path: Path, case: Case, field: str) -> None:
    """Somebody could have written anything there: what its vocabulary does not know is masked."""
    marker = "ZZ Jane Doe"

    def put(value: object) -> object:
        if isinstance(value, dict):
            return {name: marker if name == field else put(part) for name, part in value.items()}
        return [put(part) for part in value] if isinstance(value, list) else value

    place = next(
        number for number, value in enumerate(case.results) if b'"carc"' in value and b'"rule"' in value
    )
    results = list(case.results)
    results[place] = orjson.dumps(put(orjson.loads(results[place])))
    found = replayed(tmp_path, Case(case.events, results))
    assert found.counts.results_by_cause == {"tampered": 1}
    assert marker not in str(spelled_out((found.rows, found.outcomes)))


@pytest.mark.parametrize("place", ["evidence", "unknown"])
def test_nesting_ever_so_deep_is_tampered_and_no_fault(tmp_path: Path, case: Case, place: str) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    value = case.results[AT]
    nested = value.replace(b'"evidence":{', b'"evidence":{"x":' + deep + b",", 1)
    if place == "unknown":
        nested = value[:-1] + b',"x":' + deep + b"}"
    found = replayed(tmp_path, with_results(case, lambda results: results.__setitem__(AT, nested)))
    assert found.counts.results_by_cause == {"tampered": 1}


def test_an_event_nested_ever_so_deep_is_a_dead_letter_as_it_was(tmp_path: Path, case: Case) -> None:
    deep = b'{"source":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    found = replayed(tmp_path, Case([*case.events, deep], case.results))
    assert found.rows == []
    assert found.counts.events_rejected["undecodable"] >= 1


@pytest.mark.parametrize("parts", [1, 4])
def test_a_changed_member_is_tampered_in_a_window_of_time_too(tmp_path: Path, case: Case, parts: int) -> None:
    place = case.results[AT].index(b'"member_id":"') + 16
    within = Bounds(Moment(0), None)
    found = replayed(tmp_path, tampered_at(case, place), parts=parts, within=within)
    assert found.counts.results_by_cause == {"tampered": 1}


def test_ids_and_types_of_a_result_that_nobody_made_are_not_passed_on(tmp_path: Path, case: Case) -> None:
    said = orjson.loads(case.results[AT])
    said |= {"result_id": "ZZ Jane Doe", "cause": said["cause"] | {"type": "ZZ, C44.31"}}
    found = replayed(tmp_path, with_results(case, lambda results: results.insert(5, orjson.dumps(said))))
    assert found.counts.results_by_cause == {"tampered": 1}
    assert "ZZ" not in str(spelled_out((found.rows, found.outcomes)))
