"""What is published when a later event changes an earlier decision, and when it changes none."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
import pytest

from tests.adjudication.historykit import (
    READJUDICATED,
    TRUNK,
    Json,
    Ledger,
    claim,
    decided,
    documentation,
    event,
    events,
    expiry,
    ledger_of,
    void,
)
from tests.contract.corpus import validator
from worker.adjudication import Adjudicated, encode
from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED, Event

RESULT = validator("claim-adjudicated")

PENDED = claim("M", "17313 @A", diagnoses=[TRUNK], undecided="A")
RECORDS = documentation("M", "2026-05-20", lesions=[{"lesion": "A", "diameter_cm": "2.0"}])
PATHOLOGY = claim("P", "88305")


def last(*data: Json) -> tuple[Adjudicated, Event, Ledger]:
    """What the last of these events brings about, that event, and the ledger before it."""
    *told, what = events(*data)
    ledger = ledger_of(told)
    return decided(what, ledger.history), what, ledger


def named(answer: Adjudicated) -> list[tuple[str, int, str]]:
    return [(one.claim_id, one.revision, one.outcome) for one in answer.results]


# --- a decision that changes ---


def test_a_claims_first_result_has_revision_1_and_supersedes_nothing() -> None:
    answer, what, _ = last(PATHOLOGY)
    (result,) = answer.results
    assert (result.revision, result.supersedes, result.input_digest) == (1, None, what.digest)
    assert all(finding.rule != READJUDICATED for line in result.lines for finding in line.findings)


def test_each_later_decision_of_a_claim_supersedes_the_one_before() -> None:
    told = events(PATHOLOGY, claim("M", "17311 @A"), void("M"))
    ledgers = [ledger_of(told[:count]) for count in range(1, 4)]
    results = [ledger.published["P"] for ledger in ledgers]
    assert [(one.revision, one.outcome) for one in results] == [(1, "pay"), (2, "deny"), (3, "pay")]
    assert [one.supersedes for one in results] == [None, results[0].result_id, results[1].result_id]


@pytest.mark.parametrize(
    ("told", "what", "type_"),
    [
        pytest.param([PATHOLOGY], claim("M", "17311 @A"), SUBMITTED, id="a claim"),
        pytest.param([PATHOLOGY, claim("M", "17311 @A")], void("M"), VOIDED, id="a void"),
        pytest.param([PATHOLOGY, PENDED], RECORDS, DOCUMENTED, id="documentation"),
        pytest.param([PATHOLOGY, PENDED], expiry("M"), EXPIRED, id="an expiry"),
        pytest.param(
            [PATHOLOGY, claim("M", "17311 @A")],
            claim("R", "99213", frequency="7", original="M"), SUBMITTED, id="a replacement",
        ),
        pytest.param(
            [PATHOLOGY, claim("M", "17311 @A")],
            claim("V", "99213", frequency="8", original="M"), SUBMITTED, id="an 8",
        ),
    ],
)  # fmt: skip
def test_a_changed_decision_names_the_event_that_changed_it(told: list[Json], what: Json, type_: str) -> None:
    answer, cause, ledger = last(*told, what)
    (changed,) = [one for one in answer.results if one.claim_id == "P"]
    before_it = ledger.published["P"]
    assert (changed.revision, changed.supersedes) == (before_it.revision + 1, before_it.result_id)
    assert (changed.cause.source, changed.cause.id, changed.cause.type) == (cause.source, cause.id, type_)
    assert changed.input_digest == cause.digest
    (finding,) = [one for one in changed.lines[0].findings if one.rule == READJUDICATED]
    assert finding.evidence == {"claim": what["claim_id"], "event": type_}
    assert finding.policy
    assert finding.version
    assert finding.citation


def test_only_the_lines_that_changed_name_what_changed_them() -> None:
    answer, _, _ = last(claim("P", "17110", "88305", "88305 on 2026-04-29"), claim("M", "17311 @A"))
    changed = answer.results[1]
    found = [[finding.rule for finding in line.findings] for line in changed.lines]
    assert [READJUDICATED in rules for rules in found] == [False, True, False]


def test_a_claims_own_records_revise_it() -> None:
    answer, _, ledger = last(PENDED, RECORDS)
    assert ledger.published["M"].outcome == "pend"
    assert named(answer) == [("M", 2, "pay")]
    (finding,) = [one for one in answer.results[0].lines[0].findings if one.rule == READJUDICATED]
    assert finding.evidence == {"claim": "M", "event": DOCUMENTED}


def test_fewer_units_are_a_changed_decision_though_the_line_stays_paid() -> None:
    stages = [{"lesion": "A", "stages": [1, 1]}]
    answer, _, _ = last(
        claim("M", "17311 @A", "17312 @A x2"), documentation("M", "2026-05-20", lesions=stages)
    )
    assert named(answer) == [("M", 2, "partial")]
    assert [line.units_allowed for line in answer.results[0].lines] == [1, 1]


def test_another_reason_for_the_same_denial_is_published() -> None:
    answer, _, ledger = last(claim("2", "11102"), claim("M", "17311 @A"), claim("1", "11102"))
    assert ledger.published["2"].lines[0].adjustments[0].carc == "97"
    assert named(answer) == [("1", 1, "deny"), ("2", 3, "deny")]
    assert answer.results[1].lines[0].adjustments[0].carc == "18"


def test_other_facts_needed_are_published() -> None:
    immune = documentation("M", "2026-05-20", immunosuppressed=False)
    records = [{"lesion": "A", "absent": True, "null": ["diameter_cm"]}]
    answer, _, ledger = last(claim("M", "17313 @A", diagnoses=[TRUNK], lesions=records), immune)
    assert set(ledger.published["M"].documentation_needed[0].facts) == {"diameter_cm", "immunosuppressed"}
    assert named(answer) == [("M", 2, "pend")]
    assert answer.results[0].documentation_needed[0].facts == ("diameter_cm",)


def test_the_lesion_that_facts_are_needed_of_is_published() -> None:
    which = documentation("M", "2026-05-20", lesions=[{"lesion": "A"}])
    answer, _, ledger = last(claim("M", "17313", diagnoses=[TRUNK]), which)
    assert [one.lesion for one in ledger.published["M"].documentation_needed] == [None]
    assert named(answer) == [("M", 2, "pend")]
    assert [one.lesion for one in answer.results[0].documentation_needed] == ["A"]


def test_the_events_own_claim_comes_first_then_those_it_closed_then_the_rest_in_their_order() -> None:
    told = [
        claim("D", "17311 @A", received="2026-05-10"),
        claim("E", "17311 @A", frequency="7", original="D", received="2026-05-11"),
        claim("Z", "88305", received="2026-05-01"),
        claim("C", "88304", received="2026-05-03"),
        claim("B", "88331", received="2026-05-02"),
        claim("A", "99213", frequency="7", original="D", received="2026-05-12"),
    ]
    answer, _, _ = last(*told)
    assert named(answer) == [
        ("A", 1, "out_of_scope"), ("E", 2, "void"), ("Z", 2, "pay"), ("B", 2, "pay"), ("C", 2, "pay")
    ]  # fmt: skip


def test_a_void_result_has_no_lines_and_asks_for_nothing() -> None:
    answer, _, _ = last(PENDED, claim("V", "17313 @A", frequency="8", original="M"))
    assert named(answer) == [("V", 1, "void"), ("M", 2, "void")]
    assert all((one.lines, one.documentation_needed) == ((), ()) for one in answer.results)


def test_a_replacement_that_is_superseded_when_it_comes_is_void_at_once() -> None:
    answer, _, _ = last(
        claim("A", "14060"),
        claim("S", "14060", frequency="7", original="A", received="2026-05-21"),
        claim("R", "14060", frequency="7", original="A", received="2026-05-20"),
    )
    assert named(answer) == [("R", 1, "void")]


# --- a decision that does not change ---


def test_claims_that_do_not_meet_the_event_are_not_published_again() -> None:
    answer, _, _ = last(
        claim("P", "88305 on 2026-04-29"),
        claim("Q", "88305", npi="O", tin="U"),
        claim("R", "17110"),
        claim("M", "17311 @A"),
    )
    assert named(answer) == [("M", 1, "pay")]


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(documentation("M", "2026-05-20", lesions=[]), id="records that say nothing"),
        pytest.param(
            documentation("M", "2026-05-20", lesions=[{"lesion": "A", "laterality": "left"}]),
            id="records that settle nothing",
        ),
        pytest.param(expiry("P"), id="an expiry of a pend that asks for nothing"),
        pytest.param(void("X"), id="a void of a superseded claim"),
        pytest.param(expiry("X"), id="an expiry of a superseded claim"),
        pytest.param(
            documentation("X", "2026-05-20", immunosuppressed=True), id="records of a superseded claim"
        ),
    ],
)
def test_an_event_that_changes_nothing_publishes_nothing_and_is_held(what: Json) -> None:
    told = [claim("X", "17311 @A"), PENDED | {"frequency_code": "7", "original_claim_id": "X"}, PATHOLOGY]
    answer, cause, _ = last(*told, what)
    assert answer.results == ()
    assert answer.history is not None
    again = decided(cause, answer.history)
    assert (again.results, again.history) == ((), None)


def test_the_same_event_twice_publishes_nothing_and_leaves_the_history_as_it_is() -> None:
    told = events(PENDED, PATHOLOGY, RECORDS, expiry("M"), void("M"))
    history = ledger_of(told).history
    for what in told:
        again = decided(what, history)
        assert (again.results, again.history, again.again, again.evicted) == ((), None, 0, 0)


# --- what is told of an event ---


@pytest.mark.parametrize(
    ("what", "change", "again"),
    [
        (claim("N", "88304"), "claim", 0),
        (claim("N", "17311 @C"), "claim", 1),
        (claim("N", "99213", frequency="7", original="M"), "replacement", 2),
        (claim("N", "99213", frequency="8", original="M"), "void", 2),
        (void("M"), "void", 2),
        (RECORDS, "documentation", 2),
        (expiry("M"), "expiry", 2),
    ],
)
def test_an_event_is_told_by_its_change_and_by_how_many_decisions_it_revises(
    what: Json, change: str, again: int
) -> None:
    answer, _, _ = last(PENDED, PATHOLOGY, what)
    assert (answer.change, answer.again, answer.evicted) == (change, again, 0)


# --- bytes ---


def digest_of(told: list[Event]) -> str:
    """SHA-256 over the sorted input digests of the events before."""
    digests = sorted(bytes.fromhex(what.digest.removeprefix("sha256:")) for what in told)
    return "sha256:" + sha256(b"".join(digests)).hexdigest()


def test_the_basis_has_the_digest_of_the_events_held_before() -> None:
    told = events(PATHOLOGY, PENDED, RECORDS, void("M"))
    for count, what in enumerate(told):
        answer = decided(what, ledger_of(told[:count]).history)
        assert answer.results
        assert {one.basis.history_digest for one in answer.results} == {digest_of(told[:count])}


def test_the_digest_of_the_history_does_not_tell_in_which_order_events_came() -> None:
    first, second, what = events(PATHOLOGY, claim("Q", "88304"), claim("M", "17311 @A"))
    one, other = (decided(what, ledger_of(told).history) for told in ([first, second], [second, first]))
    assert one.results[0].basis.history_digest == other.results[0].basis.history_digest


def test_a_rejected_event_is_not_in_the_digest() -> None:
    told = events(PATHOLOGY, claim("M", "17311 @A"))
    answer = decided(told[1], ledger_of(told[:1]).history)
    assert answer.results[0].basis.history_digest == digest_of(told[:1])


def test_the_same_event_and_history_give_the_same_bytes() -> None:
    told = events(PATHOLOGY, claim("M", "17311 @A"), claim("Q", "88304"))
    one, other = (decided(told[-1], ledger_of(told[:-1]).history) for _ in range(2))
    assert [encode(result) for result in one.results] == [encode(result) for result in other.results]
    assert one.history == other.history


def test_every_result_keeps_the_schema_and_has_an_id_of_its_own() -> None:
    told = events(
        PATHOLOGY,
        PENDED,
        RECORDS,
        claim("R", "17313 @A", frequency="7", original="M", diagnoses=[TRUNK], undecided="A"),
        expiry("R"),
        claim("V", "99213", frequency="8", original="R"),
    )
    ids: list[Any] = []
    ledger = Ledger()
    for what in told:
        answer = decided(what, ledger.history)
        for result in answer.results:
            RESULT.validate(orjson.loads(encode(result)))
            ids.append(result.result_id)
        ledger = ledger.after(what)
    assert len(set(ids)) == len(ids) == 12
    assert {UUID(one).version for one in ids} == {5}


def test_two_events_of_one_content_are_two_events() -> None:
    first, second = event(void("M"), "evt-8"), event(void("M"), "evt-9")
    (told,) = events(claim("M", "17311 @A"))
    ledger = ledger_of([told, first])
    answer = decided(second, ledger.history)
    assert answer.results == ()
    assert answer.history is not None
