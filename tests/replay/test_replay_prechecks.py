"""Evidence that proves nothing is refused before anything is decided, with what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.replay.replaykit import Case, Folding, decided, made_up, replayed
from tests.replay.test_replay_findings import changed
from tests.replay.test_replay_what_if import moved_policies
from worker.adjudication import Limits
from worker.adjudication.reference import Reference, digest_of
from worker.codes import catalog as codes
from worker.policies import catalog as policies
from worker.reference import load_reference
from worker.replay.planning.plan import Asked
from worker.replay.reading.evidence import EvidenceError


@pytest.fixture(scope="module")
def case() -> Case:
    return made_up(300, seed=6, members=40)


def refused(tmp_path: Path, case: Case, asked: Asked | None = None) -> str:
    with pytest.raises(EvidenceError) as caught:
        replayed(tmp_path, case, asked)
    assert not (tmp_path / "out").exists()
    return str(caught.value)


def test_nothing_to_replay_is_refused(tmp_path: Path) -> None:
    assert "there is no event" in refused(tmp_path, Case([], []))


def test_results_of_other_events_are_refused(tmp_path: Path, case: Case) -> None:
    other = made_up(300, seed=7, members=40)
    assert "do not belong together" in refused(tmp_path, Case(case.events, other.results))


def test_events_and_results_that_are_swapped_are_refused(tmp_path: Path, case: Case) -> None:
    assert "swapped" in refused(tmp_path, Case(case.results, case.events))


def test_one_event_that_is_gone_is_a_difference_to_tell(tmp_path: Path, case: Case) -> None:
    assert replayed(tmp_path, Case(case.events[1:], case.results)).counts.results_by_cause


@pytest.mark.parametrize(
    ("cut", "told"), [(60, "events are missing at the beginning"), (200, "events begin much later")]
)
def test_events_that_begin_later_than_their_results_are_refused(
    tmp_path: Path, case: Case, cut: int, told: str
) -> None:
    assert told in refused(tmp_path, Case(case.events[cut:], case.results))


def test_results_that_were_cut_with_their_events_are_refused_by_the_history_that_they_name(
    tmp_path: Path, case: Case
) -> None:
    """Both files begin in the middle: each first result names an event, and a past that is not there."""
    later = {orjson.loads(event).get("id") for event in case.events[200:]}
    place = next(
        number for number, value in enumerate(case.results) if orjson.loads(value)["cause"]["id"] in later
    )
    told = refused(tmp_path, Case(case.events[200:], case.results[place:]))
    assert "say that others came before" in told


def test_a_basis_that_is_not_to_be_found_is_named_by_its_digest(tmp_path: Path, case: Case) -> None:
    moved = moved_policies(tmp_path / "policies")
    reference = load_reference(moved, draft=True)
    told = refused(tmp_path, Case(case.events, decided(case.events, reference)))
    assert reference.digest in told
    assert "--basis" in told


def test_a_basis_is_found_wherever_it_lies_below_a_given_directory(tmp_path: Path, case: Case) -> None:
    former = tmp_path / "archive" / "2026-05"
    former.mkdir(parents=True)
    moved = moved_policies(former / "policies")
    results = decided(case.events, load_reference(moved, draft=True))
    found = replayed(tmp_path, Case(case.events, results), Asked(Limits(), basis=(tmp_path / "archive",)))
    assert found.rows == []
    assert found.counts.reproduced == len(results)
    (basis,) = found.plan.recorded
    assert (basis.policies_dir, basis.codes_dir) == (str(moved), None)
    assert basis.results == len(results)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path, case: Case) -> None:
    results = decided(case.events, load_reference(moved_policies(tmp_path / "policies"), draft=True))
    told = refused(tmp_path, Case(case.events, results), Asked(Limits(), basis=(tmp_path / "none",)))
    assert str(tmp_path / "none") in told


def test_a_basis_on_the_word_of_a_changed_result_is_not_looked_for(tmp_path: Path, case: Case) -> None:
    results = list(case.results)
    said = orjson.loads(results[50])
    said["basis"]["digest"] = "sha256:" + "0" * 64
    results[50] = orjson.dumps(said)
    assert replayed(tmp_path, Case(case.events, results)).counts.results_by_cause == {"tampered": 1}


def test_events_are_decided_by_the_basis_that_their_results_name_each(tmp_path: Path, case: Case) -> None:
    """Policies were changed twice while the topic went on; histories went through it."""
    moved = moved_policies(tmp_path / "former")
    references = [load_reference(moved, draft=True), load_reference(), load_reference(moved, draft=True)]
    results = by_parts(case.events, references)
    found = replayed(tmp_path, Case(case.events, results), Asked(Limits(), basis=(moved,)))
    assert found.rows == []
    assert found.counts.reproduced == len(results)
    assert found.plan.named == ((references[0].digest, references[1].digest),)


def by_parts(events: list[bytes], references: list[Reference]) -> list[bytes]:
    folding, size = Folding(), len(events) // len(references)
    results: list[bytes] = []
    for number, reference in enumerate(references):
        last = number == len(references) - 1
        results += folding.decide(events[number * size : None if last else (number + 1) * size], reference)
    return results


def test_former_rules_are_looked_for_by_the_engine_that_results_name(tmp_path: Path, case: Case) -> None:
    unknown = digest_of("9.9.9", "sha256:" + "1" * 64, codes.load().digest)
    known = digest_of("9.9.9", policies.load().digest, codes.load().digest)
    for digest, is_found in ((unknown, False), (known, True)):
        results = [
            changed(value, basis=orjson.loads(value)["basis"] | {"engine": "9.9.9", "digest": digest})
            for value in case.results
        ]
        given = Case(case.events, results)
        if is_found:
            assert replayed(tmp_path / "known", given).counts.results_by_cause == {"engine": len(results)}
        else:
            assert "engine 9.9.9" in refused(tmp_path / "unknown", given)
