"""``mms-worker explain``: the whole trace of a claim, for a person and as JSON."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from worker.adjudication import Reference, Rejected, Ruled, adjudicate, decode, encode, rule
from worker.adjudication.claim import SUBMITTED
from worker.adjudication.result import Result
from worker.commands.explain import render, trace
from worker.devkit.generator import events
from worker.reference import load_reference

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MMS_")}
ENVIRONMENT |= {"COLUMNS": "240"}

LINE: dict[str, Any] = {
    "line": 1, "procedure": "17311", "modifiers": [], "units": 1, "diagnosis_pointers": [1],
    "service_date": "2026-04-28", "charge": "100.00",
}  # fmt: skip


def event(*lines: dict[str, Any], **claim: Any) -> bytes:
    """A claim for a lesion of the trunk without records, unless the arguments say otherwise."""
    data = {
        "claim_id": "CLM-1", "member_id": "MBR-1", "payer_id": "BCBSND", "frequency_code": "1",
        "received_date": "2026-05-04", "billing_provider": {"npi": "1234567893"}, "diagnoses": ["C44.519"],
        "lines": [LINE | {"line": number} | line for number, line in enumerate(lines, 1)],
    }  # fmt: skip
    return orjson.dumps(
        {"specversion": "1.0", "id": "evt-1", "source": "/tests", "type": SUBMITTED, "data": data | claim}
    )


PENDED = event({"procedure": "17313", "lesion": "A"}, documentation={"lesions": [
    {"lesion": "A", "recurrent": False, "borders": "well-defined", "diameter_cm": "1.9"}
]})  # fmt: skip
OUT_OF_SCOPE = event({"procedure": "11980"})
BEFORE_ANY_POLICY = event({"procedure": "17313", "service_date": "2018-12-31"})
TWO_DAYS = event({"procedure": "17313"}, {"procedure": "17313", "service_date": "2026-04-29"})
MARKED_UP = event(
    {"lesion": "[red]A[/red]", "procedure": "17313"}, claim_id="[bold]x[/]", documentation={"lesions": [
        {"lesion": "[red]A[/red]", "site": "trunk"}]},
)  # fmt: skip
EMOJI = event({"procedure": "17313", "lesion": ":cat:"}, claim_id=":dog:")
ODD = [PENDED, OUT_OF_SCOPE, BEFORE_ANY_POLICY, TWO_DAYS, MARKED_UP, EMOJI]


@cache
def reference() -> Reference:
    return load_reference()


def ruled(value: bytes) -> Ruled:
    decoded = decode(value)
    assert not isinstance(decoded, Rejected), decoded
    answer = rule(decoded, reference(), traced=True)
    assert isinstance(answer, Ruled)
    return answer


def adjudicated(value: bytes) -> bytes:
    decoded = decode(value)
    assert not isinstance(decoded, Rejected), decoded
    result = adjudicate(decoded, reference())
    assert isinstance(result, Result)
    return encode(result)


def rendered(value: bytes, width: int = 240) -> str:
    out = io.StringIO()
    render(ruled(value), reference(), Console(file=out, width=width, emoji=False))
    return out.getvalue()


def traced(value: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = orjson.loads(orjson.dumps(trace(ruled(value), reference())))
    return answer


def explain(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "worker", "explain", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, env=ENVIRONMENT, check=False)  # noqa: S603  our own command


@cache
def generated() -> list[bytes]:
    return [orjson.dumps(one) for one in events(400, seed=23)]


INDICATIONS = {
    "high-recurrence-area": "not_met", "recurrent-or-incomplete": "unknown",
    "previously-irradiated": "unknown", "aggressive-or-rapid": "unknown", "ill-defined-borders": "not_met",
    "immunosuppressed": "unknown", "high-risk-metastasis": "unknown", "tissue-preservation": "not_met",
    "large-lesion": "not_met",
}  # fmt: skip
MISSING = [
    "incompletely_excised", "previously_irradiated", "rapid_growth", "histology", "immunosuppressed",
    "high_risk_metastasis",
]  # fmt: skip
MARKS = {"met": "✓", "not_met": "✗", "unknown": "?"}


def test_a_person_sees_every_indication_with_its_citation_and_what_is_missing() -> None:
    shown = rendered(PENDED)
    assert "CLM-1" in shown
    assert "PEND" in shown
    rows = shown.splitlines()
    for position, (indication, verdict) in enumerate(INDICATIONS.items(), 1):
        row = next(row for row in rows if f"necessity.{indication}" in row)
        assert row.strip().startswith(MARKS[verdict])
        assert f"mms-medical-policy 1, Indications, item {position}" in row
    assert "lesion A could be settled by: " + ", ".join(MISSING) in shown
    assert "OA-133" in shown


def test_the_trace_holds_every_rule_asked_also_those_that_the_line_passed() -> None:
    (line,) = traced(PENDED)["trace"]
    assert [finding["rule"].removeprefix("necessity.") for finding in line["indications"]] == list(
        INDICATIONS
    )
    assert {
        one["rule"].removeprefix("necessity."): one["verdict"] for one in line["indications"]
    } == INDICATIONS
    asked = {ruling["rule"]: ruling["effect"] for ruling in line["rulings"]}
    assert asked == {
        "necessity.indications": "pend", "structure.site-code": "none", "ncci.units-per-day": "none",
    }  # fmt: skip
    assert line["rulings"][0]["needed"] == MISSING


def test_the_traced_result_is_the_one_that_adjudicate_prints() -> None:
    for value in (*ODD, *generated()):
        answer = traced(value)
        assert orjson.dumps(answer["result"]) == adjudicated(value)
        for line, decided in zip(answer["trace"], answer["result"]["lines"], strict=True):
            told = [_finding(ruling) for ruling in line["rulings"]]
            if decided["decision"] in {"deny", "pend"}:
                assert all(finding in told for finding in decided["findings"])


def _finding(ruling: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in ruling.items() if key not in {"effect", "needed"}}


def test_every_generated_claim_can_be_shown() -> None:
    for value in generated():
        ruling = ruled(value)
        shown = rendered(value)
        assert ruling.claim.claim_id in shown
        for service in ruling.services:
            if service.reviewed:
                assert all(one.finding.rule in shown for one in service.rulings)


@pytest.mark.parametrize("width", [40, 80, 240])
@pytest.mark.parametrize(
    "value", ODD, ids=["pended", "out of scope", "no policy", "two days", "markup", "emoji"]
)
def test_unusual_claims_can_be_shown_on_any_terminal(value: bytes, width: int) -> None:
    assert rendered(value, width)


def test_a_line_not_under_review_says_so() -> None:
    shown = rendered(OUT_OF_SCOPE)
    assert "OUT_OF_SCOPE" in shown
    assert "not under review" in shown


def test_a_day_before_any_policy_says_which_are_missing() -> None:
    shown = rendered(BEFORE_ANY_POLICY)
    assert "policy.not-in-force" in shown
    assert "No version of the policy is in force on the date of service." in shown
    (ruling,) = traced(BEFORE_ANY_POLICY)["trace"][0]["rulings"]
    assert set(ruling["evidence"]["policies"]) == {"mms-medical-policy", "mms-coding", "ncci"}


def test_the_days_of_a_claim_are_shown_each_with_its_date() -> None:
    shown = rendered(TWO_DAYS)
    assert "2026-04-28" in shown
    assert "2026-04-29" in shown


def test_the_command_explains_the_claim_that_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "claims.jsonl"
    file.write_bytes(b"not json\n" + generated()[0] + b"\n\n" + PENDED)
    ran = explain(file, "--claim", "CLM-1")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.decode() == rendered(PENDED)
    assert explain("-", "--claim", "CLM-1", stdin=file.read_bytes()).stdout == ran.stdout


def test_the_command_prints_one_json_document() -> None:
    ran = explain("-", "--claim", "CLM-1", "--json", stdin=PENDED)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert json.loads(ran.stdout) == traced(PENDED)


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        pytest.param(MARKED_UP, ["[bold]x[/]", "[red]A[/red]"], id="markup"),
        pytest.param(EMOJI, [":dog:", ":cat:"], id="emoji"),
    ],
)
def test_ids_are_shown_as_they_are(value: bytes, literal: list[str]) -> None:
    claim_id = orjson.loads(value)["data"]["claim_id"]
    ran = explain("-", "--claim", claim_id, stdin=value)
    assert ran.returncode == 0
    shown = ran.stdout.decode()
    assert all(text in shown for text in literal)


def test_an_id_commands_no_terminal() -> None:
    shown = rendered(event({"procedure": "17313", "lesion": "\x9b2JA"}, claim_id="CLM\x1b[2J-1"))
    assert "CLM\N{REPLACEMENT CHARACTER}[2J-1" in shown
    assert "\x1b" not in shown
    assert "\x9b" not in shown


def test_a_claim_that_the_file_lacks_ends_it_with_one() -> None:
    ran = explain("-", "--claim", "CLM-2", stdin=PENDED)
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert len(ran.stderr.splitlines()) == 1


def test_a_claim_that_is_rejected_ends_it_with_one_and_says_where() -> None:
    void = event({}, frequency_code="8", original_claim_id="CLM-0")
    ran = explain("-", "--claim", "CLM-1", stdin=b"\n" + void)
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert ran.stderr.startswith(b"line 2: unknown_claim at $")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["{tmp}/none.jsonl", "--claim", "CLM-1"], id="a missing file"),
        pytest.param(["{tmp}", "--claim", "CLM-1"], id="a directory"),
        pytest.param(["-"], id="no claim named"),
        pytest.param(["-", "--claim", "CLM-1", "--policies-dir", "{tmp}"], id="no policies"),
    ],
)
def test_what_cannot_be_read_or_decided_by_ends_it_with_two(arguments: list[str], tmp_path: Path) -> None:
    ran = explain(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr
    assert b"Traceback" not in ran.stderr
