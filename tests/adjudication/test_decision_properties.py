"""What is true of every decision, whatever the claim: the contract's promises and policy §§0 to 5."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import date
from functools import cache
from subprocess import PIPE, run
from typing import Any, TypeAlias

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.contract.corpus import validator
from worker.adjudication import Reference, adjudicate_alone, decode, encode
from worker.adjudication.claim import SUBMITTED, Claim, Event
from worker.adjudication.day import decide_day
from worker.adjudication.enrich import enrich
from worker.adjudication.member import rule_alone
from worker.adjudication.result import LineDecision, Result
from worker.adjudication.service import Rank, Service
from worker.devkit.generator import events as generated_events
from worker.reference import load_reference

Json: TypeAlias = dict[str, Any]

EXAMPLES = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
RESULT = validator("claim-adjudicated")

MOHS = ["17311", "17312", "17313", "17314", "17315"]
PROCEDURES = [
    *MOHS, *MOHS, "11102", "11103", "11104", "88304", "88305", "88314", "88331", "88332", "88342", "12001",
    "13132", "13133", "14060", "15260", "15261", "99213", "99214", "11600", "11772", "17000", "17003",
    "17110", "11980", "1400F", "J2001",
]  # fmt: skip
MODIFIERS = ["59", "XS", "25", "57", "26", "TC", "LT", "58", "XU"]
DIAGNOSES = [
    "C44.311", "C44.519", "C44.41", "C44.612", "C44.90", "C43.9", "C76.0", "D48.5", "L57.0", "C44.31",
    "C4A.11", "X99.9",
]  # fmt: skip
"""Nose, trunk, scalp and neck, arm, no site, melanoma, head, on the list, not on it, headers, unknown."""
IMPLYING = ["D84.821", "Z92.3", "Z85.828"]
LESIONS = ["A", "B", "C"]
DAY = date(2026, 4, 28)
DAYS = ["2026-04-28", "2026-04-29", "2024-02-29", "2018-12-31"]

LESION_FACTS: dict[str, st.SearchStrategy[Any]] = {
    "site": st.sampled_from(["nose", "trunk", "arm", "hand", "face", "scalp", "perianal", "ear"]),
    "diameter_cm": st.sampled_from(["0.4", "1.9", "1.9999", "2", "2.0", "2.01", "11"]),
    "borders": st.sampled_from(["ill-defined", "well-defined"]),
    "recurrent": st.booleans(),
    "incompletely_excised": st.booleans(),
    "previously_irradiated": st.booleans(),
    "rapid_growth": st.booleans(),
    "high_risk_metastasis": st.booleans(),
    "histology": st.lists(st.sampled_from(["nodular", "morpheaform", "perineural", "in-situ"]), max_size=2),
    "direct_involvement": st.lists(st.sampled_from(["muscle", "cartilage"]), max_size=1),
    "stages": st.lists(st.builds(dict, blocks=st.one_of(st.none(), st.integers(1, 9))), max_size=4),
}


def lesion_records(name: str) -> st.SearchStrategy[Json]:
    """Records of a lesion in which any fact may be missing or null."""
    facts = {fact: st.one_of(st.none(), value) for fact, value in LESION_FACTS.items()}
    return st.fixed_dictionaries({"lesion": st.just(name)}, optional=facts)


DOCUMENTATION = st.fixed_dictionaries(
    {},
    optional={
        "immunosuppressed": st.one_of(st.none(), st.booleans()),
        "lesions": st.sets(st.sampled_from(LESIONS)).flatmap(
            lambda names: st.tuples(*map(lesion_records, sorted(names)))
        ),
    },
)
LINES = st.fixed_dictionaries(
    {
        "procedure": st.sampled_from(PROCEDURES),
        "modifiers": st.lists(st.sampled_from(MODIFIERS), max_size=2),
        "units": st.one_of(st.just(1), st.integers(1, 20)),
        "diagnosis_pointers": st.lists(st.integers(1, 2), min_size=1, max_size=2),
        "service_date": st.one_of(st.just(DAYS[0]), st.sampled_from(DAYS)),
        "charge": st.sampled_from(["0", "1250.00"]),
    },
    optional={"lesion": st.one_of(st.none(), st.sampled_from(LESIONS))},
)


@st.composite
def claims(
    draw: st.DrawFn,
    lines: st.SearchStrategy[Json] = LINES,
    most: int = 7,
    records: st.SearchStrategy[Json | None] = st.one_of(st.none(), DOCUMENTATION),  # noqa: B008  a value
) -> Json:
    """Data of a submitted claim, rich in what the policies speak of."""
    drawn = draw(st.lists(lines, min_size=1, max_size=most))
    numbers = draw(st.permutations(range(1, len(drawn) + 1)))
    data = {
        "claim_id": draw(st.sampled_from(["CLM-1", "Ĉ\u2028"])),
        "member_id": "MBR-1",
        "payer_id": draw(st.sampled_from(["BCBSND", "CANDIDACY"])),
        "frequency_code": "1",
        "received_date": "2026-05-04",
        "billing_provider": {"npi": "1234567893"},
        "diagnoses": [draw(st.sampled_from(DIAGNOSES)), draw(st.sampled_from(DIAGNOSES + IMPLYING))],
        "lines": [{"line": number} | line for number, line in zip(numbers, drawn, strict=True)],
    }
    documentation = draw(records)
    return data if documentation is None else data | {"documentation": documentation}


def value_of(data: Json) -> bytes:
    event = {"specversion": "1.0", "id": "evt-1", "source": "/tests", "type": SUBMITTED, "data": data}
    return orjson.dumps(event)


@cache
def reference() -> Reference:
    return load_reference()


def decoded(value: bytes) -> Event:
    event = decode(value)
    assert isinstance(event, Event), event
    return event


def decided(data: Json) -> Result:
    result = adjudicate_alone(decoded(value_of(data)), reference())
    assert isinstance(result, Result)
    return result


def lines_of(result: Result) -> dict[int, bytes]:
    """Every line's decision with all it says, and the facts it needs, by line number."""
    published = orjson.loads(encode(result))
    needed = {one["line"]: one for one in published["documentation_needed"]}
    return {line["line"]: orjson.dumps([line, needed.get(line["line"])]) for line in published["lines"]}


def ruled(data: Json, *, traced: bool = True) -> list[Service]:
    claim = decoded(value_of(data)).data
    assert isinstance(claim, Claim)
    return rule_alone(claim, reference(), traced=traced).services


# --- the contract of a result ---


@EXAMPLES
@given(claims())
def test_a_result_keeps_the_contract(data: Json) -> None:
    result = decided(data)
    RESULT.validate(orjson.loads(encode(result)))
    billed = {line["line"]: line["units"] for line in data["lines"]}
    assert [line.line for line in result.lines] == list(billed)
    for line in result.lines:
        KEEPS[line.decision](line, billed[line.line])
    assert result.outcome == folded(result, billed)
    pended = {line.line for line in result.lines if line.decision == "pend"}
    asked = [one.line for one in result.documentation_needed]
    assert len(asked) == len(set(asked))
    assert set(asked) <= pended
    assert all(one.facts for one in result.documentation_needed)


def words(line: LineDecision) -> list[str]:
    return [" ".join([f"{one.group}-{one.carc}", *one.rarc]) for one in line.adjustments]


def _keeps_pay(line: LineDecision, billed: int) -> None:
    assert line.units_allowed is not None
    assert 1 <= line.units_allowed <= billed
    assert words(line) == (["CO-151 N362"] if line.units_allowed < billed else [])
    _is_cited(line)


def _keeps_deny(line: LineDecision, _: int) -> None:
    assert line.units_allowed == 0
    assert len(line.adjustments) == len(line.findings) == 1
    assert line.findings[0].verdict == "violated"
    _is_cited(line)


def _keeps_pend(line: LineDecision, _: int) -> None:
    assert line.units_allowed is None
    assert words(line) == ["OA-133"]
    assert {finding.verdict for finding in line.findings} == {"unknown"}
    _is_cited(line)


def _keeps_not_reviewed(line: LineDecision, _: int) -> None:
    assert (line.units_allowed, line.adjustments, line.findings) == (None, (), ())


def _is_cited(line: LineDecision) -> None:
    assert line.findings
    for finding in line.findings:
        assert finding.policy
        assert finding.version
        assert finding.citation
        assert finding.reason


KEEPS: dict[str, Callable[[LineDecision, int], None]] = {
    "pay": _keeps_pay, "deny": _keeps_deny, "pend": _keeps_pend, "not_reviewed": _keeps_not_reviewed,
}  # fmt: skip


def folded(result: Result, billed: dict[int, int]) -> str:
    """The outcome as the contract folds it, from what is published alone."""
    reviewed = [line for line in result.lines if line.decision != "not_reviewed"]
    said = {line.decision for line in reviewed}
    if not said:
        return "out_of_scope"
    if "pend" in said:
        return "pend"
    if said == {"deny"}:
        return "deny"
    in_full = all(line.units_allowed == billed[line.line] for line in reviewed)
    return "pay" if said == {"pay"} and in_full else "partial"


# --- the same event, the same bytes ---


@EXAMPLES
@given(claims())
def test_a_reference_that_has_decided_nothing_yet_decides_the_same_bytes(data: Json) -> None:
    fresh = Reference(reference().policies, reference().code_sets)
    event = decoded(value_of(data))
    first, second, third = (adjudicate_alone(event, one) for one in (reference(), reference(), fresh))
    assert isinstance(first, Result)
    assert isinstance(second, Result)
    assert isinstance(third, Result)
    assert encode(first) == encode(second) == encode(third)


@EXAMPLES
@given(claims())
def test_tracing_changes_no_decision(data: Json) -> None:
    plain, traced = (ruled(data, traced=traced) for traced in (False, True))
    assert [(one.status, one.units) for one in plain] == [(one.status, one.units) for one in traced]


@settings(EXAMPLES, max_examples=3)
@given(st.lists(claims(), min_size=20, max_size=20))
def test_another_process_with_another_hash_seed_decides_the_same_bytes(batch: list[Json]) -> None:
    values = [value_of(data) for data in batch]
    values += [orjson.dumps(event) for event in generated_events(200, seed=5)]
    here = b"".join(encode(decided(orjson.loads(value)["data"])) + b"\n" for value in values[:20])
    elsewhere = {_adjudicated_elsewhere(b"\n".join(values), seed) for seed in ("1", "2")}
    assert len(elsewhere) == 1
    assert elsewhere.pop().startswith(here)


def _adjudicated_elsewhere(values: bytes, hash_seed: str) -> bytes:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MMS_")}
    environment |= {"PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-m", "worker", "adjudicate", "-", "--stateless"]
    done = run(command, input=values, stdout=PIPE, env=environment, check=True)
    return done.stdout


# --- what does not matter to a line's decision ---


@EXAMPLES
@given(claims().flatmap(lambda data: st.tuples(st.just(data), st.permutations(data["lines"]))))
def test_the_place_of_a_line_in_the_claim_does_not_matter(both: tuple[Json, list[Json]]) -> None:
    data, shuffled = both
    assert lines_of(decided(data | {"lines": shuffled})) == lines_of(decided(data))


@EXAMPLES
@given(claims())
def test_the_lines_of_other_days_do_not_matter(data: Json) -> None:
    whole = lines_of(decided(data))
    for day in {line["service_date"] for line in data["lines"]}:
        of_day = [line for line in data["lines"] if line["service_date"] == day]
        for number, line in lines_of(decided(data | {"lines": of_day})).items():
            assert line == whole[number]


@EXAMPLES
@given(claims())
def test_charge_place_and_laboratory_do_not_matter(data: Json) -> None:
    lines = [line | {"charge": "3.50"} for line in data["lines"]]
    other = data | {"lines": lines, "place_of_service": "22", "clia_number": "35D0000001"}
    assert lines_of(decided(other)) == lines_of(decided(data))


@EXAMPLES
@given(claims(records=DOCUMENTATION))
def test_a_fact_that_is_null_is_as_unknown_as_one_that_is_missing(data: Json) -> None:
    documentation = {"immunosuppressed": None, "lesions": None} | data["documentation"]
    lesions = documentation["lesions"]
    if lesions is not None:
        documentation["lesions"] = [dict.fromkeys(LESION_FACTS) | lesion for lesion in lesions]
    assert lines_of(decided(data | {"documentation": documentation})) == lines_of(decided(data))


@EXAMPLES
@given(claims())
def test_before_any_policy_every_line_under_review_pends_and_nothing_is_asked(data: Json) -> None:
    lines = [line | {"service_date": "2018-12-31"} for line in data["lines"]]
    result = decided(data | {"lines": lines})
    assert {line.decision for line in result.lines} <= {"pend", "not_reviewed"}
    rules = {finding.rule for line in result.lines for finding in line.findings}
    assert rules <= {"policy.not-in-force"}
    assert result.documentation_needed == ()


# --- knowledge: a fact that becomes known ---

SETTLING: Json = {
    "diameter_cm": "2.01", "borders": "ill-defined", "recurrent": True, "incompletely_excised": True,
    "previously_irradiated": True, "rapid_growth": True, "high_risk_metastasis": True,
    "histology": ["perineural"],
}  # fmt: skip
"""A value of each fact but the site that meets an indication of either necessity policy that asks for it."""

AGAINST: Json = {
    "diameter_cm": "1.0", "borders": "well-defined", "recurrent": False, "incompletely_excised": False,
    "previously_irradiated": False, "rapid_growth": False, "high_risk_metastasis": False,
    "histology": ["nodular"],
}  # fmt: skip
"""A value of each of them that meets none."""

RECORDS_OF_A = st.builds(
    lambda immunosuppressed, lesion: {"immunosuppressed": immunosuppressed, "lesions": [lesion]},
    st.one_of(st.none(), st.booleans()),
    lesion_records("A"),
)
UNDECIDED_RECORDS_OF_A = st.fixed_dictionaries(
    {"lesion": st.just("A"), "site": st.sampled_from([None, "trunk", "scalp"])},
    optional={fact: st.just(value) for fact, value in AGAINST.items()},
).map(lambda lesion: {"lesions": [lesion]})
FIRST_STAGE_OF_A = st.fixed_dictionaries(
    {
        "procedure": st.sampled_from(["17311", "17313"]),
        "modifiers": st.just([]),
        "units": st.just(1),
        "diagnosis_pointers": st.just([1]),
        "service_date": st.just(DAYS[0]),
        "charge": st.just("1250.00"),
        "lesion": st.just("A"),
    }
)


def knowing(data: Json, fact: str, value: Any) -> Json:
    """The claim when its records of lesion A say this; None is unknown."""
    documentation = data["documentation"]
    lesions = [
        lesion | ({fact: value} if lesion["lesion"] == "A" else {}) for lesion in documentation["lesions"]
    ]
    return data | {"documentation": documentation | {"lesions": lesions}}


@EXAMPLES
@given(claims(records=RECORDS_OF_A), st.sampled_from(sorted(SETTLING)), st.data())
def test_a_fact_that_becomes_known_unmakes_no_verdict_that_was_known(
    data: Json, fact: str, more: st.DataObject
) -> None:
    value = more.draw(LESION_FACTS[fact])
    implied = fact == "previously_irradiated"  # perhaps, and a documented false beats it (policy §1)
    before, after = (
        ruled(knowing(data, fact, None)),
        ruled(knowing(data, fact, SETTLING[fact] if implied else value)),
    )
    for was, became in zip(before, after, strict=True):
        for verdict in ("met", "not_met"):
            known = {one.rule for one in was.indications if one.verdict == verdict}
            assert known <= {one.rule for one in became.indications if one.verdict == verdict}


@EXAMPLES
@given(claims(FIRST_STAGE_OF_A, most=1, records=RECORDS_OF_A), st.sampled_from(sorted(SETTLING)))
def test_a_paid_mohs_line_stays_paid_when_one_more_indication_is_met(data: Json, fact: str) -> None:
    data["diagnoses"][0] = "C44.311" if data["lines"][0]["procedure"] == "17311" else "C44.519"
    data = knowing(data, "site", None)
    (before,) = ruled(knowing(data, fact, None))
    assume(before.status == "pay")
    (after,) = ruled(knowing(data, fact, SETTLING[fact]))
    assert after.status == "pay"


@EXAMPLES
@given(claims(FIRST_STAGE_OF_A, most=1, records=UNDECIDED_RECORDS_OF_A))
def test_any_one_of_the_needed_facts_could_settle_necessity_and_no_other(data: Json) -> None:
    data["diagnoses"][0] = "C44.519" if data["documentation"]["lesions"][0]["site"] == "trunk" else "C44.41"
    needed = _needed_for_necessity(ruled(data)[0])
    assume(needed is not None)
    assert needed is not None
    lesion = data["documentation"]["lesions"][0]
    for fact in (fact for fact in SETTLING if lesion.get(fact) is None):
        (settled,) = ruled(knowing(data, fact, SETTLING[fact]))
        assert bool(settled.met) == (fact in needed)
        assert (_needed_for_necessity(settled) is None) == (fact in needed)
    immune = data | {"documentation": data["documentation"] | {"immunosuppressed": True}}
    assert bool(ruled(immune)[0].met) == ("immunosuppressed" in needed)
    assert needed.count("site") == 0  # these sites are no indication, so knowing more of them settles nothing


def _needed_for_necessity(service: Service) -> tuple[str, ...] | None:
    pends = [one for one in service.rulings if one.effect == "pend"]
    return next((one.needed for one in pends if one.finding.rule == "necessity.indications"), None)


# --- what hangs on a pended line ---

ONE_DAY = st.builds(
    lambda procedure, modifiers, units, lesion: {
        "procedure": procedure, "modifiers": modifiers, "units": units, "lesion": lesion,
        "diagnosis_pointers": [1], "service_date": DAYS[0], "charge": "1250.00",
    },
    st.sampled_from([
        *MOHS, "17312", "17314", "99213", "99213", "88305", "88331", "88332", "11102", "11103", "11772",
    ]),
    st.one_of(st.just([]), st.sampled_from([["59"], ["25"]])),
    st.one_of(st.just(1), st.integers(1, 6)),
    st.sampled_from(["A", "A", "A", "B", None]),
)  # fmt: skip
PARTLY_KNOWN_A = st.fixed_dictionaries(
    {"lesion": st.just("A"), "site": st.sampled_from([None, "trunk", "scalp"])},
    optional={fact: st.just(value) for fact, value in AGAINST.items()}
    | {fact: LESION_FACTS[fact] for fact in ("stages", "direct_involvement")},
)
PARTLY_KNOWN = st.builds(
    lambda first, second: {"immunosuppressed": False, "lesions": [first, *second]},
    PARTLY_KNOWN_A,
    st.lists(lesion_records("B"), max_size=1),
)


def day_of(claims_data: list[Json]) -> list[Service]:
    """The lines of several claims of a member, decided together, in the order given."""
    services = []
    for number, data in enumerate(claims_data):
        claim = decoded(value_of(data | {"claim_id": f"CLM-{number}"})).data
        assert isinstance(claim, Claim)
        book, tables = reference().rulebook(claim.payer_id, DAY), reference().code_sets.on(DAY)
        rank = Rank(claim.received_date, claim.claim_id)
        services += [enrich(claim, line, rank, book, tables) for line in claim.lines]
    decide_day(services.copy(), DAY)
    return services


@settings(EXAMPLES, max_examples=600)
@given(
    st.lists(claims(ONE_DAY, most=5, records=PARTLY_KNOWN), min_size=1, max_size=3),
    st.lists(st.sampled_from(["T", "U", None]), min_size=3, max_size=3),
    st.booleans(),
)
def test_what_is_decided_stays_so_whichever_way_pended_lines_end(
    day: list[Json], tins: list[str | None], necessary: bool
) -> None:
    for data, tin in zip(day, tins, strict=False):
        site = data["documentation"]["lesions"][0]["site"]
        data["diagnoses"][0] = "C44.519" if site == "trunk" else "C44.41"
        data["billing_provider"] = {"npi": "1234567893", "tin": tin}
    settled = day[0]
    for fact in (fact for fact in SETTLING if day[0]["documentation"]["lesions"][0].get(fact) is None):
        settled = knowing(settled, fact, SETTLING[fact] if necessary else AGAINST[fact])
    for before, after in zip(day_of(day), day_of([settled, *day[1:]]), strict=True):
        if before.reviewed and before.status != "pend":
            assert (after.status, after.kept_units()) == (before.status, before.kept_units())


# --- codes ---

CATEGORY_II = ["1200F", "1220F", "1400F", "1500F", "1501F", "1503F"]
"""Performance-measure codes: between the bounds of the repairs as text, and no repairs."""


@pytest.mark.parametrize("procedure", CATEGORY_II)
def test_a_code_of_another_kind_lies_in_no_range(procedure: str) -> None:
    assert reference().rulebook("BCBSND", DAY).role(procedure) == "other"
