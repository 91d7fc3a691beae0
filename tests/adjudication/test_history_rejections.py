"""Events that the member's history makes dead letters: nothing is stored, and a redrive is processed."""

from __future__ import annotations

import pytest

from tests.adjudication.historykit import (
    TRUNK,
    Json,
    claim,
    decided,
    documentation,
    event,
    events,
    expiry,
    ledger_of,
    rejected,
    void,
)

ABOUT_M = [
    pytest.param(void("M"), "$.claim_id", id="void"),
    pytest.param(documentation("M", "2026-05-20", immunosuppressed=True), "$.claim_id", id="documentation"),
    pytest.param(expiry("M"), "$.claim_id", id="expiry"),
    pytest.param(claim("R", "17311 @A", frequency="7", original="M"), "$.original_claim_id", id="a 7"),
    pytest.param(claim("V", "17311 @A", frequency="8", original="M"), "$.original_claim_id", id="an 8"),
]
MOHS = claim("M", "17313 @A", diagnoses=[TRUNK], undecided="A")


@pytest.mark.parametrize(
    "history_of", [[], [claim("OTHER", "17311 @A")]], ids=["nothing held", "another held"]
)
@pytest.mark.parametrize(("what", "path"), ABOUT_M)
def test_an_event_about_a_claim_never_seen_is_an_unknown_claim(
    what: Json, path: str, history_of: list[Json]
) -> None:
    why = rejected(event(what, "evt-x"), ledger_of(events(*history_of)).history)
    assert (why.reason, why.path) == ("unknown_claim", path)


@pytest.mark.parametrize(("what", "path"), ABOUT_M)
def test_the_redrive_of_an_unknown_claim_is_processed_once_the_claim_is_held(what: Json, path: str) -> None:
    redriven = event(what, "evt-x")
    assert rejected(redriven, None).reason == "unknown_claim"
    ledger = ledger_of(events(MOHS))
    answer = decided(redriven, ledger.history)
    assert answer.history is not None
    again = decided(redriven, answer.history)
    assert (again.results, again.history) == ((), None)


@pytest.mark.parametrize(
    "what",
    [void("M"), expiry("M"), documentation("M", "2026-05-20", immunosuppressed=True), claim("X", "88305")],
    ids=["void", "expiry", "documentation", "claim"],
)
def test_the_same_source_and_id_with_other_content_is_an_id_conflict(what: Json) -> None:
    (first,) = told = events(MOHS)
    why = rejected(event(what, first.id), ledger_of(told).history)
    assert (why.reason, why.path) == ("id_conflict", "$")


@pytest.mark.parametrize("about", [void("M"), expiry("M"), documentation("M", "2026-05-20", lesions=[])])
def test_the_id_of_an_event_about_a_claim_is_taken_too(about: Json) -> None:
    told = [*events(MOHS), event(about, "evt-x")]
    history = ledger_of(told).history
    assert rejected(event(claim("X", "88305"), "evt-x"), history).reason == "id_conflict"
    assert decided(told[-1], history).history is None


def test_an_id_is_one_of_its_source() -> None:
    history = ledger_of([event(MOHS, "evt-1", "/a")]).history
    assert decided(event(claim("X", "88305"), "evt-1", "/b"), history).results
    assert decided(event(claim("X", "88305"), "a" + "evt-1", "/"), history).results


def test_the_id_of_a_dead_letter_is_not_taken() -> None:
    history = ledger_of(events(MOHS)).history
    assert rejected(event(void("X"), "evt-x"), history).reason == "unknown_claim"
    assert decided(event(void("M"), "evt-x"), history).results


def test_an_id_conflict_leaves_the_first_event_as_it_was() -> None:
    (first,) = told = events(MOHS)
    history = ledger_of(told).history
    assert rejected(event(void("M"), first.id), history).reason == "id_conflict"
    assert decided(first, history).history is None


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([MOHS], id="that stands"),
        pytest.param([MOHS, void("M")], id="that is void"),
        pytest.param([MOHS, claim("R", "17311 @A", frequency="7", original="M")], id="that is superseded"),
        pytest.param(
            [claim("O", "14060"), claim("M", "14060", frequency="8", original="O")], id="that is an 8"
        ),
    ],
)
@pytest.mark.parametrize("frequency", ["1", "7", "8"])
def test_a_second_submission_of_a_claim_is_against_the_contract(told: list[Json], frequency: str) -> None:
    history = ledger_of(events(claim("X", "88305"), *told)).history
    original = None if frequency == "1" else "X"
    second = claim("M", "17313 @A", frequency=frequency, original=original)
    why = rejected(event(second, "evt-x"), history)
    assert (why.reason, why.path) == ("contract", "$.claim_id")


@pytest.mark.parametrize("frequency", ["7", "8"])
def test_nothing_replaces_or_voids_an_8(frequency: str) -> None:
    history = ledger_of(events(MOHS, claim("V", "17311 @A", frequency="8", original="M"))).history
    why = rejected(event(claim("W", "17311 @A", frequency=frequency, original="V"), "evt-x"), history)
    assert (why.reason, why.path) == ("contract", "$.original_claim_id")


def test_no_message_quotes_a_value() -> None:
    told = events(
        claim("CLAIM-SECRET", "17311 @A", npi="NPI-SECRET", tin="TIN-SECRET"),
        claim("EIGHT-SECRET", "17311 @A", frequency="8", original="CLAIM-SECRET"),
    )
    history = ledger_of(told).history
    whys = [
        rejected(event(void("ABSENT-SECRET"), "ID-SECRET", "/SECRET"), history),
        rejected(event(claim("R-SECRET", "88305", frequency="7", original="ABSENT-SECRET"), "x"), history),
        rejected(event(claim("R-SECRET", "88305", frequency="7", original="EIGHT-SECRET"), "x"), history),
        rejected(event(claim("CLAIM-SECRET", "88305"), "x"), history),
        rejected(event(claim("X-SECRET", "88305"), told[0].id), history),
    ]
    assert [why.reason for why in whys] == [
        "unknown_claim", "unknown_claim", "contract", "contract", "id_conflict"
    ]  # fmt: skip
    for why in whys:
        assert why.message
        assert "SECRET" not in f"{why.path} {why.message}"
        assert not set("0123456789").intersection(why.message)
