"""Each event is decided by the basis that its results name, whatever else lies among the results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from tests.replay.replaykit import Case, Folding, made_up, replayed
from tests.replay.test_replay_findings import changed
from tests.replay.test_replay_what_if import moved_policies
from worker.adjudication import Adjudicated, Limits, Rejected, adjudicate, decode
from worker.adjudication.reference import Reference
from worker.reference import load_reference
from worker.replay.planning.plan import Asked
from worker.replay.reading.evidence import EvidenceError

EVENTS = 300
SWITCH = 150


class Switched(NamedTuple):
    """Events of which the first were decided by other policies than the rest."""

    case: Case
    before: int
    """Results of the first."""
    policies: Path


def by_two(events: list[bytes], first: Reference, switch: int = SWITCH) -> Case:
    folding = Folding()
    results = folding.decide(events[:switch], first)
    return Case(events, results + folding.decide(events[switch:], load_reference()))


@pytest.fixture(scope="module")
def switched(tmp_path_factory: pytest.TempPathFactory) -> Switched:
    policies = moved_policies(tmp_path_factory.mktemp("former") / "policies")
    events = made_up(EVENTS, seed=12, members=40).events
    former = load_reference(policies, draft=True)
    before = len(Folding().decide(events[:SWITCH], former))
    return Switched(by_two(events, former), before, policies)


def causes(tmp_path: Path, switched: Switched, results: list[bytes], parts: int = 1) -> dict[str, int]:
    asked = Asked(Limits(), basis=(switched.policies,))
    return replayed(tmp_path, Case(switched.case.events, results), asked, parts=parts).counts.results_by_cause


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize(
    ("stray", "told"),
    [
        (lambda results, at: results.insert(at + 20, results[5]), {"extra": 1}),
        (lambda results, at: results.insert(5, results[at + 20]), {"extra": 1}),
        (lambda results, at: results.insert(5, foreign(results[at + 20])), {"extra": 1}),
        (lambda results, at: results.insert(at + 20, foreign(results[5])), {"extra": 1}),
        (lambda results, at: results.pop(at + 30), {"missing": 1}),
        (lambda results, _: results.sort(key=lambda value: orjson.loads(value)["member_id"]), {}),
    ],
    ids=["old-among-new", "new-among-old", "foreign-new", "foreign-old", "gone", "another-order"],
)
def test_a_stray_result_does_not_carry_its_basis_to_other_events(
    tmp_path: Path,
    switched: Switched,
    stray: Callable[[list[bytes], int], object],
    told: dict[str, int],
    parts: int,
) -> None:
    results = list(switched.case.results)
    stray(results, switched.before)
    assert causes(tmp_path, switched, results, parts) == told


def foreign(value: bytes) -> bytes:
    """A result of an event that is not there."""
    return changed(value, cause={"source": "/elsewhere", "id": "never", "type": "mms.claim.submitted.v1"})


@pytest.mark.parametrize("switch", range(100, 200, 11))
def test_events_without_results_around_a_switch_are_decided_by_what_gives_none(
    tmp_path: Path, switched: Switched, switch: int
) -> None:
    case = by_two(switched.case.events, load_reference(switched.policies, draft=True), switch)
    assert causes(tmp_path, switched, case.results) == {}


def silent_by(first: Reference, events: list[bytes]) -> int:
    """The place of an event that brings about nothing by one reference, and something by the shipped one."""
    held: dict[str, bytes] = {}
    for place, line in enumerate(events):
        event = decode(line)
        if isinstance(event, Rejected):
            continue
        state = held.get(event.data.member_id)
        answer, other = (adjudicate(event, state, one, Limits()) for one in (first, load_reference()))
        if isinstance(answer, Adjudicated) and answer.history is not None:
            if not answer.results and isinstance(other, Adjudicated) and other.results:
                return place
            held[event.data.member_id] = answer.history
    raise AssertionError("no such event")


def test_an_event_whose_result_could_be_gone_unseen_is_counted(tmp_path: Path, switched: Switched) -> None:
    """It is the first behind the change: by the former policies it rightly has no result."""
    events, former = made_up(900, seed=12, members=40).events, load_reference(switched.policies, draft=True)
    switch = silent_by(former, events)
    case, before = by_two(events, former, switch), len(Folding().decide(events[:switch], former))
    asked = Asked(Limits(), basis=(switched.policies,))
    whole = replayed(tmp_path / "whole", case, asked).counts
    gone = Case(events, [*case.results[:before], *case.results[before + 1 :]])
    found = replayed(tmp_path / "gone", gone, asked).counts
    assert (whole.results_by_cause, whole.events_undecidable) == ({}, 0)
    assert found.results_by_cause == {}
    assert found.events_undecidable == 1


def test_a_dead_letter_that_was_sent_again_is_decided_by_the_basis_of_its_day(
    tmp_path: Path, switched: Switched
) -> None:
    """Records of an unknown claim come in first, and once more behind the claim and a change of policies."""
    events = list(switched.case.events)
    place = next(
        number
        for number, event in enumerate(events)
        if number > SWITCH and orjson.loads(event).get("type") == "mms.documentation.received.v1"
    )
    events.insert(0, events[place])
    case = by_two(events, load_reference(switched.policies, draft=True), SWITCH)
    assert causes(tmp_path, Switched(case, 0, switched.policies), case.results) == {}


def test_other_policies_stand_in_for_one_recorded_set_not_for_two(tmp_path: Path, switched: Switched) -> None:
    asked = Asked(Limits(), basis=(switched.policies,), codes=Path("worker/codes/data"))
    with pytest.raises(EvidenceError, match="2 different policies"):
        replayed(tmp_path, switched.case, asked)
