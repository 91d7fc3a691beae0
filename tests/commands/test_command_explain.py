"""``mms-worker explain``: the whole trace of a claim, for a person and as JSON."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import orjson
import pytest
from rich.console import Console

from tests.adjudication import historykit
from tests.adjudication.historykit import claim, documentation, expiry, void
from worker.adjudication import Limits, Reference, Rejected, adjudicate, decode, encode
from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED
from worker.commands.case import Case, find_cases
from worker.commands.explain import render, trace
from worker.devkit.generator import histories
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
ODD_NAMES = ["pended", "out of scope", "no policy", "two days", "markup", "emoji"]
READJUDICATED = historykit.READJUDICATED


@cache
def reference() -> Reference:
    return load_reference()


def case(*values: bytes, claim_id: str = "", limits: Limits = Limits()) -> Case:
    """What these events come to for a claim: that of the last event, unless it is said."""
    asked = claim_id or orjson.loads(values[-1])["data"]["claim_id"]
    with NamedTemporaryFile() as file:
        file.write(b"\n".join(values))
        file.flush()
        (found,) = find_cases(file.name, asked, reference(), limits).cases
    return found


def shown(found: Case, width: int = 240) -> str:
    out = io.StringIO()
    render(found, Console(file=out, width=width, emoji=False))
    return out.getvalue()


def rendered(*values: bytes, width: int = 240) -> str:
    return shown(case(*values), width)


def told(found: Case) -> dict[str, Any]:
    answer: dict[str, Any] = orjson.loads(orjson.dumps(trace(found)))
    return answer


def traced(*values: bytes) -> dict[str, Any]:
    return told(case(*values))


def explain(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "worker", "explain", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, env=ENVIRONMENT, check=False)


@cache
def generated() -> list[bytes]:
    """Events of members who have many claims, strays among them."""
    return [orjson.dumps(one) for one in histories(300, seed=23, members=80, strays=True)]


@pytest.fixture(scope="module")
def generated_cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Every claim of the generated events."""
    file = tmp_path_factory.mktemp("generated") / "events.jsonl"
    file.write_bytes(b"\n".join(generated()))
    found = {}
    for claim_id in last_results():
        (found[claim_id],) = find_cases(str(file), claim_id, reference(), Limits()).cases
    return found


@cache
def last_results() -> dict[str, bytes]:
    """The last result of each claim of the generated events, from the pure function."""
    held: dict[str, bytes] = {}
    last: dict[str, bytes] = {}
    for value in generated():
        one = decode(value)
        assert not isinstance(one, Rejected)
        answer = adjudicate(one, held.get(one.data.member_id), reference())
        if not isinstance(answer, Rejected):
            last |= {result.claim_id: encode(result) for result in answer.results}
            held[one.data.member_id] = answer.history or held[one.data.member_id]
    return last


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
    text = rendered(PENDED)
    assert "CLM-1" in text
    assert "PEND" in text
    rows = text.splitlines()
    for position, (indication, verdict) in enumerate(INDICATIONS.items(), 1):
        row = next(row for row in rows if f"necessity.{indication}" in row)
        assert row.strip().startswith(MARKS[verdict])
        assert f"mms-medical-policy 1, Indications, item {position}" in row
    assert "lesion A could be settled by: " + ", ".join(MISSING) in text
    assert "OA-133" in text


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


@pytest.mark.parametrize("value", [*ODD], ids=ODD_NAMES)
def test_the_traced_result_is_the_one_that_adjudicate_prints(value: bytes) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "worker", "adjudicate", "-"],
        input=value, capture_output=True, env=ENVIRONMENT, check=True,
    )  # fmt: skip
    assert orjson.dumps(traced(value)["result"]) + b"\n" == ran.stdout


def test_the_trace_of_every_claim_tells_how_its_last_result_was_decided(
    generated_cases: dict[str, Case],
) -> None:
    for claim_id, found in generated_cases.items():
        answer = told(found)
        assert orjson.dumps(answer["result"]) == last_results()[claim_id]
        assert len(answer["trace"]) == len(answer["result"]["lines"])
        for line, decided in zip(answer["trace"], answer["result"]["lines"], strict=True):
            rules = [_finding(ruling) for ruling in line["rulings"]]
            if decided["decision"] in {"deny", "pend"}:
                assert all(one in rules for one in decided["findings"] if one["rule"] != READJUDICATED)


def _finding(ruling: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in ruling.items() if key not in {"effect", "needed"}}


def test_every_claim_can_be_shown_with_all_that_was_ruled(generated_cases: dict[str, Case]) -> None:
    for claim_id, found in generated_cases.items():
        text = shown(found)
        assert claim_id in text
        for service in found.services:
            if service.reviewed:
                assert all(one.finding.rule in text for one in service.rulings)


@pytest.mark.parametrize("width", [40, 80, 240])
@pytest.mark.parametrize("value", ODD, ids=ODD_NAMES)
def test_unusual_claims_can_be_shown_on_any_terminal(value: bytes, width: int) -> None:
    assert rendered(value, width=width)


def test_a_line_not_under_review_says_so() -> None:
    text = rendered(OUT_OF_SCOPE)
    assert "OUT_OF_SCOPE" in text
    assert "not under review" in text


def test_a_day_before_any_policy_says_which_are_missing() -> None:
    text = rendered(BEFORE_ANY_POLICY)
    assert "policy.not-in-force" in text
    assert "No version of the policy is in force on the date of service." in text
    (ruling,) = traced(BEFORE_ANY_POLICY)["trace"][0]["rulings"]
    assert set(ruling["evidence"]["policies"]) == {"mms-medical-policy", "mms-coding", "ncci"}


def test_the_days_of_a_claim_are_shown_each_with_its_date() -> None:
    text = rendered(TWO_DAYS)
    assert "2026-04-28" in text
    assert "2026-04-29" in text


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
    text = rendered(event({"procedure": "17313", "lesion": "\x9b2JA"}, claim_id="CLM\x1b[2J-1"))
    assert "CLM\N{REPLACEMENT CHARACTER}[2J-1" in text
    assert "\x1b" not in text
    assert "\x9b" not in text


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


# --- a claim among the member's others ---

MOHS, PATHOLOGY = claim("M", "17311 @A"), claim("P", "88305", received="2026-05-01")
AGAIN = claim("M2", "17311 @A", frequency="7", original="M")
LOST = claim("M0", "17311 @A", frequency="7", original="M", received="2026-05-05")
WON = claim("M9", "17311 @A", frequency="7", original="M", received="2026-05-06")
VOIDING = claim("V", "17311 @A", frequency="8", original="M")
UNDECIDED = claim("T", "17313 @A", diagnoses=[historykit.TRUNK], undecided="A")
SETTLED = documentation("T", "2026-06-01", lesions=[{"lesion": "A", "diameter_cm": "2.0"}])
SMALL = documentation("T", "2026-06-01", lesions=[{"lesion": "A", "diameter_cm": "1.9"}])


def values_of(*data: dict[str, Any]) -> list[bytes]:
    """Events of these data with ids of their own, told by their fields."""
    types = {"lines": SUBMITTED, "documentation": DOCUMENTED, "expired_date": EXPIRED}
    return [
        orjson.dumps({
            "specversion": "1.0", "id": f"evt-{number}", "source": "/tests", "data": one,
            "type": next((type_ for field, type_ in types.items() if field in one), VOIDED),
        })
        for number, one in enumerate(data, start=1)
    ]  # fmt: skip


class Ending(NamedTuple):
    """How a claim stands after some events."""

    told: list[dict[str, Any]]
    claim_id: str
    outcome: str
    revision: int
    since: str
    standing: str = "stands"
    says: str = ""


ENDINGS = {
    "alone": Ending([MOHS], "M", "pay", 1, "since it was submitted (event evt-1 of /tests)"),
    "changed by another claim": Ending(
        [PATHOLOGY, MOHS], "P", "deny", 2, "since claim M was submitted (event evt-2 of /tests)"),
    "changed by a replacement of another": Ending(
        [PATHOLOGY, MOHS, AGAIN], "P", "deny", 3, "since claim M2 was submitted to replace claim M ("),
    "changed by a void": Ending([PATHOLOGY, MOHS, void("M")], "P", "pay", 3, "since claim M was made void ("),
    "changed by a claim that voids": Ending(
        [PATHOLOGY, MOHS, VOIDING], "P", "pay", 3, "since claim V was submitted to void claim M ("),
    "settled by records": Ending([UNDECIDED, SETTLED], "T", "pay", 2, "since records of it were received ("),
    "without records in time": Ending(
        [UNDECIDED, expiry("T")], "T", "deny", 2, "since the time for records of it has run out ("),
    "a replacement": Ending([MOHS, AGAIN], "M2", "pay", 1, "since it was submitted to replace claim M ("),
    "replaced": Ending([MOHS, AGAIN], "M", "void", 2, "since claim M2 was submitted to replace it (",
                       "superseded", "a replacement has taken its place"),
    "a replacement that came too late": Ending(
        [MOHS, WON, LOST], "M0", "void", 1, "since it was submitted to replace claim M (",
        "superseded", "another replacement of the same claim stands before it"),
    "a replacement that was outdone": Ending(
        [MOHS, LOST, WON], "M0", "void", 2, "since claim M9 was submitted to replace claim M (",
        "superseded", "another replacement of the same claim stands before it"),
    "made void": Ending([MOHS, void("M")], "M", "void", 2, "since it was made void (", "voided"),
    "made void by a claim": Ending(
        [MOHS, VOIDING], "M", "void", 2, "since claim V was submitted to void it (", "voided"),
    "a claim that voids": Ending(
        [MOHS, VOIDING], "V", "void", 1, "since it was submitted to void claim M (", "voided"),
}  # fmt: skip


@pytest.mark.parametrize("ending", [pytest.param(one, id=name) for name, one in ENDINGS.items()])
def test_a_claim_is_shown_as_it_stands_after_all_events(ending: Ending) -> None:
    values = values_of(*ending.told)
    found = case(*values, claim_id=ending.claim_id)
    answer, text = told(found), shown(found)
    assert answer["result"]["outcome"] == ending.outcome
    assert answer["result"]["revision"] == ending.revision
    assert answer["standing"] == ending.standing
    assert f"Claim {ending.claim_id}   {ending.outcome.upper()}" in text
    assert f"revision {ending.revision}, {ending.since}" in text
    assert ending.says in text
    superseded = answer["result"]["supersedes"]
    assert (superseded is None) == (ending.revision == 1)
    assert superseded is None or f"in the place of result {superseded}" in text
    assert (answer["trace"] == []) == (ending.outcome == "void")


def test_the_json_says_which_claim_changed_it_and_how() -> None:
    changes = {
        name: told(case(*values_of(*ENDINGS[name].told), claim_id=ENDINGS[name].claim_id))["changed_by"]
        for name in (
            "alone",
            "changed by a void",
            "settled by records",
            "without records in time",
            "replaced",
        )
    }
    assert changes == {
        "alone": {"claim": "M", "change": "claim"},
        "changed by a void": {"claim": "M", "change": "void"},
        "settled by records": {"claim": "T", "change": "documentation"},
        "without records in time": {"claim": "T", "change": "expiry"},
        "replaced": {"claim": "M2", "change": "replacement"},
    }


def test_the_line_that_a_later_event_changed_says_so() -> None:
    pathology = claim("P", "88305", "11980", received="2026-05-01")
    text = shown(case(*values_of(pathology, MOHS), claim_id="P"))
    first, second = text[text.index("Line 1 ") :].split("Line 2 ")
    assert READJUDICATED in first
    assert "claim M; event mms.claim.submitted.v1" in first
    assert READJUDICATED not in second


def test_a_line_that_is_under_review_no_more_says_since_when() -> None:
    visit = claim("V", "99213", received="2026-05-01")
    text = shown(case(*values_of(visit, MOHS, void("M")), claim_id="V"))
    line = text[text.index("Line 1 ") :]
    assert "not under review" in line
    assert "claim M; event mms.claim.voided.v1" in line


def test_records_that_do_not_settle_it_leave_what_is_missing() -> None:
    assert "could be settled by: diameter_cm" in shown(case(*values_of(UNDECIDED), claim_id="T"))
    text = shown(case(*values_of(UNDECIDED, SMALL), claim_id="T"))
    assert "could be settled by" not in text
    assert "diameter cm 1.9" in text


def test_a_claim_for_which_there_was_no_room_shows_its_result_and_says_why_no_more() -> None:
    large = claim("L", *["11980"] * 26)
    found = case(*values_of(large), limits=Limits(max_bytes=1024))
    assert (told(found)["standing"], told(found)["trace"]) == ("unheld", None)
    text = shown(found)
    assert "its trace cannot be shown" in text
    assert text.count("history.capacity") == text.count("Line ") == 26


def test_a_claim_beside_one_without_room_is_traced_to_that() -> None:
    found = case(*values_of(MOHS, claim("L", *["11980"] * 26)), claim_id="M", limits=Limits(max_day_lines=26))
    assert told(found)["standing"] == "stands"
    assert [one["rule"] for one in told(found)["trace"][0]["rulings"]] == ["history.capacity"]


LATER = [claim("LATER", "17311 on 2027-06-30"), void("LATER")]
"""So much later that before the second of these events claims of the usual day of service are dropped."""


def test_a_claim_that_is_no_longer_held_is_traced_as_it_was_decided() -> None:
    found = case(*values_of(PATHOLOGY, MOHS, *LATER), claim_id="P")
    assert told(found)["evicted"]
    assert "no longer held" in shown(found)
    (line,) = told(found)["trace"]
    assert [one["rule"] for one in line["rulings"] if one["effect"] == "deny"] == ["bundling.pathology"]


def test_a_claim_whose_other_claims_are_no_longer_held_is_traced_as_it_was_decided() -> None:
    lasting = claim("P", "88305", "88305 on 2027-01-04", received="2026-05-01")
    found = case(*values_of(lasting, MOHS, *LATER), claim_id="P")
    assert not told(found)["evicted"]
    first, _ = told(found)["trace"]
    assert [one["rule"] for one in first["rulings"] if one["effect"] == "deny"] == ["bundling.pathology"]


def test_a_claim_is_traced_with_the_records_that_came_after_its_result() -> None:
    no_news = documentation("M", "2026-06-01", lesions=[{"lesion": "A", "diameter_cm": "0.8"}])
    found = case(*values_of(MOHS, no_news), claim_id="M")
    assert told(found)["result"]["revision"] == 1
    indications = told(found)["trace"][0]["indications"]
    large = next(one for one in indications if one["rule"] == "necessity.large-lesion")
    assert large["evidence"]["diameter_cm"] == "0.8"


def test_members_who_have_a_claim_of_the_same_id_are_all_shown() -> None:
    first, second = (orjson.loads(value) for value in values_of(MOHS, MOHS))
    second["data"] |= {"member_id": "MBR-2"}
    ran = explain("-", "--claim", "M", "--json", stdin=orjson.dumps(first) + b"\n" + orjson.dumps(second))
    assert [line.strip() for line in ran.stdout.splitlines() if b"member_id" in line] == [
        b'"member_id": "MBR-1",', b'"member_id": "MBR-2",',
    ]  # fmt: skip


@pytest.mark.parametrize("claim_id", ["M", "P", "M2", "NONE"])
def test_a_file_and_standard_input_say_the_same(claim_id: str, tmp_path: Path) -> None:
    stray = [void("P2"), void("M") | {"member_id": "MBR-2"}]
    content = b"\n".join([b"[]", *values_of(PATHOLOGY, MOHS, *stray, AGAIN, MOHS), b"no JSON"])
    file = tmp_path / "-events.jsonl"
    file.write_bytes(content)
    read, piped = explain(file, "--claim", claim_id), explain("-", "--claim", claim_id, stdin=content)
    assert (read.returncode, read.stdout) == (piped.returncode, piped.stdout)
    assert read.stderr.replace(bytes(file), b"-") == piped.stderr
    assert (read.returncode == 0) == (claim_id != "NONE")


def test_a_rejected_event_of_a_claim_is_told_beside_its_explanation() -> None:
    stray = void("M") | {"member_id": "MBR-2"}
    ran = explain("-", "--claim", "M", stdin=b"\n".join(values_of(MOHS, stray, void("P"))))
    assert (ran.returncode, ran.stderr) == (
        0,
        b"line 2: unknown_claim at $.claim_id: no such claim is held\n",
    )


def test_ids_that_are_written_with_escapes_are_found(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    first, second = values_of(PATHOLOGY, MOHS)
    file.write_bytes(first.replace(b'"P"', b'"\\u0050"').replace(b"MBR-1", b"MBR\\u002d1") + b"\n" + second)
    ran = explain(file, "--claim", "P", "--json")
    assert ran.returncode == 0
    assert json.loads(ran.stdout) == told(case(*values_of(PATHOLOGY, MOHS), claim_id="P"))


def test_an_option_says_how_much_is_held() -> None:
    values = b"\n".join(values_of(MOHS, claim("L", "11980 on 2026-04-29")))
    assert json.loads(explain("-", "--claim", "M", "--json", stdin=values).stdout)["evicted"] is False
    ran = explain("-", "--claim", "M", "--json", "--history-look-back-days=1", stdin=values)
    assert json.loads(ran.stdout)["evicted"] is False
    later = b"\n".join(values_of(MOHS, claim("L", "11980 on 2026-04-30"), void("L")))
    ran = explain("-", "--claim", "M", "--json", "--history-look-back-days=1", stdin=later)
    assert json.loads(ran.stdout)["evicted"] is True
