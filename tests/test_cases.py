"""The specification tables: each case of ``tests/cases/*.toml`` adjudicates one claim from its JSON bytes.

A case says only what it is about; the rest of the claim is ordinary. Unless ``given`` says otherwise the
claim is an original of payer BCBSND with the one diagnosis C44.311 (nose: necessary by its site, and coded
17311), no documentation, and lines of one unit without modifiers that point to the first diagnosis, served on
2026-04-28.

``given`` has ``payer``, ``date`` (of service), other fields of the ``claim``, ``diagnoses``, ``lines`` and,
when there are records, ``immunosuppressed`` and ``lesions``. A lesion with ``negative = true`` has every fact
of necessity documented as absent, but for those it states itself and those it names in ``unknown``.

``expect.lines`` stand in the order of the given lines. ``decision`` must be there; of the rest only what is
stated is compared: ``codes`` ("CO-50 N130"), ``units`` allowed, ``needed`` facts, the ``needed_lesion`` they
belong to ("" is none), and ``rules``, the ids of all determining findings.

``each`` makes a case of every row: ``"$name"`` stands for the row's value, in the case's name too.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

import worker.codes.catalog
import worker.policies.catalog
from tests.tables import entries
from worker.adjudication import Reference, adjudicate_alone, encode
from worker.adjudication.claim import SUBMITTED
from worker.adjudication.decode import Rejected, decode
from worker.adjudication.policy import Adjustment
from worker.adjudication.result import LineDecision, Result

TABLES = sorted((Path(__file__).parent / "cases").glob("*.toml"))

NEGATIVE = {
    "diameter_cm": "1.0", "borders": "well-defined", "recurrent": False, "incompletely_excised": False,
    "previously_irradiated": False, "rapid_growth": False, "high_risk_metastasis": False,
    "histology": ["nodular"],
}  # fmt: skip
LINE = {"modifiers": [], "units": 1, "diagnosis_pointers": [1], "charge": "100.00"}
CLAIM = {
    "claim_id": "CLM-1", "member_id": "MBR-1", "frequency_code": "1", "received_date": "2026-05-04",
    "billing_provider": {"npi": "1234567893", "tin": "450000001"},
}  # fmt: skip

CASE_KEYS = {"name", "cites", "given", "expect"}
GIVEN_KEYS = {"payer", "date", "claim", "diagnoses", "lines", "immunosuppressed", "lesions"}
EXPECT_KEYS = {"outcome", "lines"}
EXPECT_LINE_KEYS = {"decision", "codes", "units", "rules", "needed", "needed_lesion"}

Case = dict[str, Any]


CASES = list(entries(TABLES, "case"))


def _event(given: dict[str, Any]) -> bytes:
    """The claim of a case as a structured-mode CloudEvent."""
    day = given.get("date", "2026-04-28")
    data = CLAIM | given.get("claim", {})
    data |= {
        "payer_id": given.get("payer", "BCBSND"),
        "diagnoses": given.get("diagnoses", ["C44.311"]),
        "lines": [
            {"line": number, "service_date": day} | LINE | line
            for number, line in enumerate(given["lines"], start=1)
        ],
    }
    records = {key: given[key] for key in ("immunosuppressed",) if key in given}
    if "lesions" in given:
        records["lesions"] = [_lesion(lesion) for lesion in given["lesions"]]
    if records:
        data["documentation"] = records
    event = {"specversion": "1.0", "id": "evt-1", "source": "/tests", "type": SUBMITTED, "data": data}
    return json.dumps(event).encode()


def _lesion(stated: dict[str, Any]) -> dict[str, Any]:
    lesion = dict(stated)
    unknown = lesion.pop("unknown", [])
    if lesion.pop("negative", False):
        lesion = NEGATIVE | lesion
    return {fact: value for fact, value in lesion.items() if fact not in unknown}


@lru_cache(maxsize=1)
def _reference() -> Reference:
    return Reference(policies=worker.policies.catalog.load(), code_sets=worker.codes.catalog.load())


def _adjudicated(given: dict[str, Any]) -> Result:
    event = decode(_event(given))
    assert not isinstance(event, Rejected), event
    result = adjudicate_alone(event, _reference())
    assert isinstance(result, Result), result
    return result


@pytest.mark.parametrize("case", CASES)
def test_a_claim_is_decided_as_the_table_says(case: Case) -> None:
    given, expect = case["given"], case["expect"]
    result = _adjudicated(given)
    decided = {line.line: line for line in result.lines}
    numbers = [line.get("line", position) for position, line in enumerate(given["lines"], start=1)]
    assert sorted(decided) == sorted(numbers)
    assert _seen(result, numbers, expect["lines"]) == expect["lines"]
    if "outcome" in expect:
        assert result.outcome == expect["outcome"]
    billed = {number: line.get("units", 1) for number, line in zip(numbers, given["lines"], strict=True)}
    for line in result.lines:
        _hold_the_contract(line, billed[line.line])
    pended = {line.line for line in result.lines if line.decision == "pend"}
    assert {needed.line for needed in result.documentation_needed} <= pended
    assert encode(_adjudicated(given)) == encode(result)


def _seen(result: Result, numbers: list[int], expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the result says of what the case asks about, in the case's own words and order."""
    assert len(expected) == len(numbers)
    decided = {line.line: line for line in result.lines}
    return [
        _line_seen(result, decided[number], asked) for number, asked in zip(numbers, expected, strict=True)
    ]


def _line_seen(result: Result, line: LineDecision, asked: dict[str, Any]) -> dict[str, Any]:
    rules = {finding.rule for finding in line.findings}
    entries = [needed for needed in result.documentation_needed if needed.line == line.line]
    facts = {fact for needed in entries for fact in needed.facts}
    seen: dict[str, Any] = {
        "decision": line.decision,
        "codes": ", ".join(_words(adjustment) for adjustment in line.adjustments),
        "units": line.units_allowed,
        "rules": _in_order_of(asked.get("rules", []), rules),
        "needed": _in_order_of(asked.get("needed", []), facts),
        "needed_lesion": next((needed.lesion or "" for needed in entries), ""),
    }
    return {key: seen[key] for key in asked}


def _in_order_of(wanted: list[str], found: set[str]) -> list[str]:
    """The found words, those wanted first and in their order: equal lists then mean equal sets."""
    return [word for word in wanted if word in found] + sorted(found.difference(wanted))


def _words(adjustment: Adjustment) -> str:
    return " ".join((f"{adjustment.group}-{adjustment.carc}", *adjustment.rarc))


def _hold_the_contract(line: LineDecision, billed: int) -> None:
    """What is true of every line of every result."""
    codes = [_words(adjustment) for adjustment in line.adjustments]
    match line.decision:
        case "pay":
            assert line.units_allowed is not None
            assert 0 < line.units_allowed <= billed
            assert codes == (["CO-151 N362"] if line.units_allowed < billed else [])
        case "deny":
            assert line.units_allowed == 0
            assert len(codes) == 1
        case "pend":
            assert line.units_allowed is None
            assert codes == ["OA-133"]
        case "not_reviewed":
            assert line.units_allowed is None
            assert codes == []
    if line.decision in {"deny", "pend"}:
        assert line.findings
    for finding in line.findings:
        assert finding.policy
        assert finding.version
        assert finding.citation


@pytest.mark.parametrize("case", CASES)
def test_a_case_says_what_it_expects_and_where_it_is_written(case: Case) -> None:
    assert set(case) == CASE_KEYS
    assert re.match(r"policy (§\d|Hard cases)", case["cites"])
    assert set(case["given"]) <= GIVEN_KEYS
    assert set(case["expect"]) <= EXPECT_KEYS
    for line in case["expect"]["lines"]:
        assert set(line) <= EXPECT_LINE_KEYS
        assert line["decision"] in {"pay", "deny", "pend", "not_reviewed"}


def test_no_two_cases_have_the_same_name() -> None:
    names = [parameter.id for parameter in CASES]
    assert len(set(names)) == len(names)
