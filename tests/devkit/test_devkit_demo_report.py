"""What the demo tells of the records that it sent: counts, waits, and whether all were answered once."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from worker.devkit.generator import bad_records, events
from worker.devkit.report import print_report
from worker.devkit.tally import Tally
from worker.devkit.traffic import mixed
from worker.devkit.watch import watching


def decided(claim_id: str, outcome: str, *carcs: str, facts: tuple[str, ...] = ()) -> dict[str, Any]:
    decision = "deny" if carcs else "pay"
    adjustments = [{"group": "CO", "carc": carc, "rarc": []} for carc in carcs]
    return {
        "claim_id": claim_id,
        "outcome": outcome,
        "lines": [{"line": 1, "decision": decision, "adjustments": adjustments}],
        "documentation_needed": [{"line": 1, "lesion": "A", "facts": list(facts)}] if facts else [],
    }


@pytest.fixture
def tally() -> Tally:
    tally = Tally()
    tally.sent = {"C1": 10.0, "C2": 10.0, "C3": 10.0}
    tally.sent_bad = 1
    tally.result(decided("C1", "pay"), 10.1)
    tally.result(decided("C3", "deny", "50"), 10.2)
    tally.result(decided("C2", "deny", "50"), 10.4)
    tally.dead_letter("contract")
    return tally


def text_of(tally: Tally) -> str:
    console = Console(file=io.StringIO(), width=120)
    print_report(tally, console)
    return console.file.getvalue()


def test_all_is_well_when_each_record_has_one_answer(tally):
    assert tally.complete
    assert tally.fault is None


def test_a_claim_without_a_result_is_told(tally):
    tally.sent["C4"] = 10.0
    assert not tally.complete
    assert "1 have no result" in tally.fault


def test_a_second_result_of_a_claim_is_told(tally):
    tally.result(decided("C1", "pay"), 10.5)
    assert "1 more than one" in tally.fault


def test_a_good_claim_in_the_dead_letters_is_told(tally):
    tally.dead_letter("internal_error")
    assert "2 dead letters for 1 bad records" in tally.fault


def test_the_claim_to_explain_is_the_first_of_the_most_telling_outcome(tally):
    assert tally.telling_claim == "C2"
    tally.result(decided("C9", "partial", "97"), 11.0)
    assert tally.telling_claim == "C9"


def test_waits_are_read_at_a_share_of_the_claims(tally):
    assert tally.wait(0.5) == pytest.approx(0.2)
    assert tally.wait(1.0) == pytest.approx(0.4)


def test_the_report_has_outcomes_denials_needed_facts_and_dead_letters(tally):
    tally.result(decided("C5", "pend", facts=("borders", "diameter_cm")), 10.4)
    told = text_of(tally)
    for words in ("deny", "CO-50", "not necessary", "borders", "contract", "breaks the contract"):
        assert words in told


def test_bad_records_lie_among_the_claims_and_lose_none():
    claims, bad = list(events(40, seed=1)), bad_records(7, seed=1)
    records = mixed(claims, bad)
    assert [record.event for record in records if record.event is not None] == claims
    assert sorted(record.value for record in records if record.event is None) == sorted(r.value for r in bad)
    assert records[0].event is not None
    assert records[-1].event is not None


def test_a_log_gets_few_lines_and_the_last_has_everything(tally):
    console = Console(file=io.StringIO(), width=120)
    counting = Tally()
    with watching(console, counting, 100) as show:
        for number in range(100):
            counting.result(decided(f"C{number}", "pay"), 0.0)
            show()
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 5
    assert "100 of 100 answered: pay 100" in lines[-1]
