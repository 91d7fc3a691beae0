"""What the demo tells of the records that it sent: counts, waits, changes, and whether all is as expected."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import orjson
import pytest
from rich.console import Console

from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED
from worker.devkit.changed import print_change, telling_change
from worker.devkit.claims import Event
from worker.devkit.generator import bad_records, events, histories
from worker.devkit.oracle import Expected, expected_of
from worker.devkit.report import print_report
from worker.devkit.tally import Tally, kind_of
from worker.devkit.traffic import mixed
from worker.devkit.watch import watching
from worker.settings import Settings


def event(event_id: str, claim_id: str, event_type: str = SUBMITTED, **data: Any) -> Event:
    claim = {"frequency_code": "1", "lines": [{"line": 1, "procedure": "88305"}]} if "1" in event_id else {}
    return {"id": event_id, "type": event_type, "data": {"claim_id": claim_id, **claim, **data}}


def decided(
    claim_id: str,
    outcome: str,
    *carcs: str,
    facts: tuple[str, ...] = (),
    revision: int = 1,
    cause: str | None = None,
) -> bytes:
    adjustments = [{"group": "CO", "carc": carc, "rarc": []} for carc in carcs]
    findings = [{"rule": "r", "reason": "The reason.", "evidence": {}}]
    if revision > 1:
        evidence = {"claim": "C3", "event": SUBMITTED}
        findings.append({"rule": "history.readjudicated", "reason": "Again.", "evidence": evidence})
    result = {
        "claim_id": claim_id,
        "revision": revision,
        "outcome": outcome,
        "cause": {"id": cause or f"1-{claim_id}"},
        "lines": [
            {"line": 1, "decision": outcome, "adjustments": adjustments, "findings": findings},
        ],
        "documentation_needed": [{"line": 1, "lesion": "A", "facts": list(facts)}] if facts else [],
    }
    return orjson.dumps(result)


ANSWERS = [decided("C1", "pay"), decided("C3", "deny", "50"), decided("C2", "deny", "50")]


def expecting(*results: bytes, **dead_letters: int) -> Tally:
    """A tally that expects these, with the claims C1 to C9 sent at second 10."""
    loaded = [orjson.loads(result) for result in results]
    keyed = {(one["claim_id"], one["revision"]): value for one, value in zip(loaded, results, strict=True)}
    tally = Tally(Expected(keyed, Counter(dead_letters)))
    for number in range(1, 10):
        tally.send(event(f"1-C{number}", f"C{number}"), 10.0)
    return tally


@pytest.fixture
def tally() -> Tally:
    tally = expecting(*ANSWERS, contract=1)
    for seconds, result in zip((10.1, 10.2, 10.4), ANSWERS, strict=True):
        tally.result(result, seconds)
    tally.dead_letter("contract")
    return tally


@pytest.fixture
def changing() -> Tally:
    """C1 is paid, until C3 comes and it is denied; C2 is denied, until records of its own pay it."""
    answers = [
        decided("C1", "pay"),
        decided("C2", "deny", "50"),
        decided("C3", "pay"),
        decided("C1", "deny", "97", revision=2, cause="1-C3"),
        decided("C2", "pay", revision=2, cause="records"),
    ]
    tally = expecting(*answers)
    tally.send(event("records", "C2", DOCUMENTED), 10.0)
    for result in answers:
        tally.result(result, 11.0)
    return tally


def text_of(tally: Tally) -> str:
    console = Console(file=io.StringIO(), width=120)
    print_report(tally, console)
    return console.file.getvalue()


def test_all_is_well_when_every_expected_answer_came_once(tally):
    assert tally.complete
    assert tally.fault is None


def test_a_missing_result_is_told():
    tally = expecting(*ANSWERS)
    tally.result(ANSWERS[0], 10.1)
    assert not tally.complete
    assert "of 3 results 2 are missing" in tally.fault


def test_a_result_that_comes_twice_is_told(tally):
    tally.result(ANSWERS[0], 10.5)
    assert "1 came more than once" in tally.fault


def test_a_result_that_differs_by_a_byte_is_told():
    tally = expecting(ANSWERS[0])
    tally.result(ANSWERS[0].replace(b"pay", b"pax"), 10.5)
    assert "1 are not as decided without Kafka" in tally.fault


def test_a_result_that_nobody_expects_is_told(tally):
    tally.result(decided("C9", "pay"), 10.5)
    assert "1 are not as decided without Kafka" in tally.fault


def test_a_good_claim_in_the_dead_letters_is_told(tally):
    tally.dead_letter("internal_error")
    assert "2 dead letters for 1 bad records" in tally.fault


def test_a_dead_letter_for_another_reason_is_told():
    tally = expecting(contract=1)
    tally.dead_letter("undecodable")
    assert tally.complete
    assert tally.fault is not None


def test_the_claim_to_explain_is_the_first_of_the_most_telling_outcome(tally):
    assert tally.telling_claim({"C1", "C2", "C3"}) == "C2"
    tally.result(decided("C9", "partial", "97"), 11.0)
    assert tally.telling_claim({"C1", "C2", "C9"}) == "C9"
    assert tally.telling_claim({"C1"}) == "C1"


def test_waits_are_read_at_a_share_of_the_results(tally):
    assert tally.wait(0.5) == pytest.approx(0.2)
    assert tally.wait(1.0) == pytest.approx(0.4)


def test_an_event_that_is_sent_twice_waits_from_the_first_time(tally):
    tally.send(event("1-C4", "C4"), 11.0)
    tally.result(decided("C4", "pay"), 12.0)
    assert tally.wait(1.0) == pytest.approx(2.0)


def test_the_last_result_of_a_claim_is_the_one_that_counts(changing):
    assert changing.outcomes == {"deny": 1, "pay": 2}
    assert changing.denials == {("CO", "97"): 1}


def test_decisions_made_again_are_counted_by_what_made_them_so(changing):
    assert changing.again == {"claim": 1, "documentation": 1}
    told = text_of(changing)
    assert "another claim of the same day of service came" in told
    assert "records came" in told


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (event("1", "C1"), "claim"),
        (event("1", "C1", frequency_code="7"), "replacement"),
        (event("1", "C1", frequency_code="8"), "void"),
        (event("2", "C1", VOIDED), "void"),
        (event("2", "C1", DOCUMENTED), "documentation"),
        (event("2", "C1", EXPIRED), "expiry"),
    ],
)
def test_kinds_of_events_are_those_of_the_metric(sent, kind):
    assert kind_of(sent) == kind


def test_the_change_to_show_is_one_that_another_claim_made(changing):
    change = telling_change(changing)
    assert (change.before["outcome"], change.after["outcome"]) == ("pay", "deny")
    assert change.cause["data"]["claim_id"] == "C3"


def test_a_change_that_did_not_last_is_not_shown(changing):
    changing.result(decided("C1", "pay", revision=3, cause="1-C4"), 12.0)
    assert telling_change(changing).after["revision"] == 3


def test_without_a_change_there_is_none_to_show(tally):
    assert telling_change(tally) is None


def test_a_change_is_shown_before_and_after_with_its_cause(changing):
    console = Console(file=io.StringIO(), width=120)
    print_change(telling_change(changing), changing, console)
    told = console.file.getvalue()
    for words in (
        "C1 was pay; then C3 came with 88305, and now it is deny",
        "deny CO-97",
        "The reason.",
        "history.readjudicated claim=C3",
    ):
        assert words in told


def test_the_report_has_outcomes_denials_needed_facts_and_dead_letters(tally):
    tally.result(decided("C5", "pend", facts=("borders", "diameter_cm")), 10.4)
    told = text_of(tally)
    for words in ("deny", "CO-50", "not necessary", "borders", "contract", "breaks the contract"):
        assert words in told


def test_streams_and_bad_records_are_mixed_evenly_and_each_keeps_its_order():
    claims, stories = list(events(40, seed=1)), list(histories(90, seed=1))
    bad = bad_records(7, seed=1)
    records = mixed(bad, claims, stories)
    sent = [record.event for record in records if record.event is not None]
    assert [event for event in sent if event in claims] == claims
    assert [event for event in sent if event in stories] == stories
    assert [record.value for record in records if record.event is None] == [record.value for record in bad]
    assert sum(record.event in claims for record in records[:68]) == pytest.approx(20, abs=1)


def test_bad_records_lie_among_the_events():
    records = mixed(bad_records(7, seed=1), list(events(40, seed=1)))
    assert records[0].event is not None
    assert records[-1].event is not None


def test_what_is_expected_of_records_is_what_they_come_to_without_kafka():
    stories, bad = list(histories(300, seed=1, members=40)), bad_records(7, seed=1)
    records = mixed(bad, stories)
    expected = expected_of([(record.key, record.plain) for record in records], Settings.model_construct())
    assert expected.dead_letters == Counter(record.reason for record in bad)
    assert {claim_id for claim_id, _ in expected.results} == {
        event["data"]["claim_id"] for event in stories if event["type"] == SUBMITTED
    }
    assert any(revision > 1 for _, revision in expected.results)
    for (claim_id, revision), value in expected.results.items():
        result = orjson.loads(value)
        assert (result["claim_id"], result["revision"]) == (claim_id, revision)
    assert expected.answers == len(expected.results) + 7


def test_a_log_gets_few_lines_and_the_last_has_everything():
    console = Console(file=io.StringIO(), width=120)
    results = [decided(f"C{number}", "pay") for number in range(100)]
    counting = expecting(*results)
    with watching(console, counting) as show:
        for result in results:
            counting.result(result, 0.0)
            show()
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 5
    assert "100 of 100 answers: pay 100" in lines[-1]
