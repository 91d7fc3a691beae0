"""Generated member histories: one seed, one stream; all kinds of events; nothing that cannot be accepted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter, defaultdict
from typing import get_args

import orjson
import pytest

from worker.adjudication import Change, Rejected, adjudicate, decode, encode
from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED
from worker.devkit.claims import Event
from worker.devkit.claims.strays import one_of_each
from worker.devkit.generator import events, histories
from worker.reference import load_reference

SAMPLE = 6_000
MEMBERS = 1_200
SEED = 11
FIRST_STAGES = frozenset({"17311", "17313"})


class Outcome:
    """What a stream of events comes to when it is folded."""

    def __init__(self, stream: list[Event]) -> None:
        self.again: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.resultless: Counter[str] = Counter()
        reference, held = load_reference(), {}
        for event in stream:
            decoded = decode(orjson.dumps(event))
            member = event["data"]["member_id"]
            answer = adjudicate(decoded, held.get(member), reference)
            if isinstance(answer, Rejected):
                self.reasons[answer.reason] += 1
                continue
            held[member] = answer.history or held[member]
            self.again[answer.change] += answer.again
            self.resultless[answer.change] += not answer.results
            for result in map(orjson.loads, map(encode, answer.results)):
                self.rules.update(f["rule"] for line in result["lines"] for f in line["findings"])


@pytest.fixture(scope="module")
def sample() -> list[Event]:
    return list(histories(SAMPLE, SEED, MEMBERS))


@pytest.fixture(scope="module")
def folded(sample) -> Outcome:
    return Outcome(sample)


@pytest.fixture(scope="module")
def strayed() -> list[Event]:
    return list(histories(SAMPLE, SEED, MEMBERS, strays=True))


@pytest.fixture(scope="module")
def claims(sample) -> dict[str, dict]:
    submitted = [event["data"] for event in sample if event["type"] == SUBMITTED]
    return {claim["claim_id"]: claim for claim in submitted}


def generated(*options: str, hash_seed: str = "0") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "worker", "devkit", "generate", *options]
    return subprocess.run(
        command,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_one_seed_gives_the_same_bytes_in_every_process():
    options = ("--histories", "--count", "500", "--seed", "3", "--members", "90")
    runs = [generated(*options, hash_seed=hash_seed) for hash_seed in ("1", "2")]
    assert [run.returncode for run in runs] == [0, 0]
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stdout.splitlines() == [orjson.dumps(event) for event in histories(500, 3, 90)]


@pytest.mark.parametrize("members", [None, 40])
@pytest.mark.parametrize("strays", [False, True])
def test_a_short_stream_is_the_beginning_of_a_long_one(members, strays):
    long = list(histories(900, 5, members, strays=strays))
    assert list(histories(300, 5, members, strays=strays)) == long[:300]


def test_other_seeds_and_plain_claims_have_other_ids():
    streams = (histories(400, 1), histories(400, 2), events(400, 1))
    one, other, plain = ({event["id"] for event in stream} for stream in streams)
    assert one.isdisjoint(other | plain)


def test_every_event_is_within_the_contract(strayed):
    assert [event for event in strayed if isinstance(decode(orjson.dumps(event)), Rejected)] == []


def test_a_claim_comes_before_the_events_about_it(sample):
    seen: set[str] = set()
    for event in sample:
        data = event["data"]
        if event["type"] == SUBMITTED:
            assert data["original_claim_id"] is None or data["original_claim_id"] in seen
            seen.add(data["claim_id"])
        else:
            assert data["claim_id"] in seen


def test_a_claim_id_names_one_event_and_one_member(sample):
    named: dict[str, set[str]] = defaultdict(set)
    members: dict[str, set[str]] = defaultdict(set)
    for event in sample:
        members[event["data"]["claim_id"]].add(event["data"]["member_id"])
        if event["type"] == SUBMITTED:
            named[event["data"]["claim_id"]].add(event["id"])
    assert all(len(ids) == 1 for ids in (*named.values(), *members.values()))


def test_the_number_of_members_is_bounded_and_some_come_often(sample):
    events_of = Counter(event["data"]["member_id"] for event in sample)
    assert 0.9 * MEMBERS < len(events_of) <= MEMBERS
    often = sorted(events_of.values())
    assert often[-1] >= 5 * often[len(often) // 2]


def test_few_members_with_many_events_stay_within_the_look_back():
    outcome = Outcome(list(histories(600, SEED, 3)))
    assert not outcome.reasons


def test_members_without_the_histories_are_told_in_one_line():
    run = generated("--count", "1", "--members", "5")
    assert (run.returncode, run.stdout) == (2, b"")
    assert run.stderr.decode().count("\n") == 1
    assert "--histories" in run.stderr.decode()


@pytest.fixture(scope="module")
def meetings(claims) -> list[tuple[dict, dict]]:
    """Each Mohs claim with each other original claim of its member's day of service."""
    days: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for claim in claims.values():
        if claim["frequency_code"] == "1":
            days[claim["member_id"], claim["lines"][0]["service_date"]].append(claim)
    return [
        (mohs, other)
        for same in days.values()
        for mohs in same
        for other in same
        if other is not mohs and codes(mohs) & FIRST_STAGES
    ]


def codes(claim: dict) -> set[str]:
    return {line["procedure"] for line in claim["lines"]}


def billed(claim: dict) -> list[tuple]:
    return [
        (line["procedure"], line["units"], line["modifiers"], line.get("lesion")) for line in claim["lines"]
    ]


@pytest.mark.parametrize(
    ("what", "fits"),
    [
        ("pathology", lambda code: code.startswith("88")),
        ("a biopsy", {"11102", "11104", "11106"}.__contains__),
        ("a repair", lambda code: "12001" <= code <= "15777"),
        ("an office visit", lambda code: code.startswith("99")),
        ("further stages", {"17312", "17314", "17315"}.__contains__),
        ("another first stage", lambda code: code in FIRST_STAGES),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_claim_of_its_own_beside_mohs_surgery_is_of(meetings, what, fits):
    assert any(all(map(fits, codes(other))) for _, other in meetings), what


@pytest.mark.parametrize(
    ("what", "fits"),
    [
        ("the surgeon", lambda mohs, other: other["rendering_provider"] == mohs["rendering_provider"]),
        (
            "the surgeon's group",
            lambda mohs, other: (
                other["rendering_provider"] != mohs["rendering_provider"] and tin(other) == tin(mohs)
            ),
        ),
        ("another practice", lambda mohs, other: tin(other) != tin(mohs)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pathology_beside_mohs_surgery_is_billed_by(meetings, what, fits):
    pathology = [pair for pair in meetings if all(code.startswith("88") for code in codes(pair[1]))]
    assert any(fits(*pair) for pair in pathology), what


def test_beside_mohs_surgery_its_claim_may_come_again(meetings):
    assert any(billed(mohs) == billed(other) for mohs, other in meetings)


def test_of_two_claims_of_a_day_either_may_be_received_first(meetings):
    apart = [pair for pair in meetings if billed(pair[0]) != billed(pair[1])]
    assert {mohs["received_date"] < other["received_date"] for mohs, other in apart} == {True, False}


def tin(claim: dict) -> str:
    return claim["billing_provider"]["tin"]


def test_claims_of_a_day_arrive_in_either_order(sample):
    arrived: list[str] = []
    orders = set()
    for event in sample:
        if event["type"] == SUBMITTED and event["data"]["frequency_code"] == "1":
            data = event["data"]
            story, _, number = data["claim_id"].rpartition("-")
            orders |= {number < other[-2:] for other in arrived if other.rpartition("-")[0] == story}
            arrived = [*arrived[-400:], data["claim_id"]]
    assert orders == {True, False}


def test_replacements_correct_lines(claims):
    replacements = [claim for claim in claims.values() if claim["frequency_code"] == "7"]
    assert any(billed(claim) != billed(claims[claim["original_claim_id"]]) for claim in replacements)


@pytest.mark.parametrize(("code", "of"), [("7", "1"), ("7", "7"), ("8", "1"), ("8", "7")])
def test_claims_replace_and_void_originals_and_replacements(claims, code, of):
    about = [claim for claim in claims.values() if claim["frequency_code"] == code]
    assert any(claims[claim["original_claim_id"]]["frequency_code"] == of for claim in about)


def test_two_replacements_of_one_claim_compete(claims):
    replaced = Counter(c["original_claim_id"] for c in claims.values() if c["frequency_code"] == "7")
    assert max(replaced.values()) > 1


@pytest.mark.parametrize("event_type", [VOIDED, DOCUMENTED, EXPIRED])
def test_there_are_events_of_type(sample, event_type):
    assert any(event["type"] == event_type for event in sample)


def test_an_event_may_arrive_twice(sample):
    times = Counter(event["id"] for event in sample)
    twice = {event_id for event_id, count in times.items() if count > 1}
    assert {SUBMITTED, DOCUMENTED} <= {event["type"] for event in sample if event["id"] in twice}
    assert len({orjson.dumps(event) for event in sample if event["id"] in twice}) == len(twice)


def test_records_of_a_claim_may_overtake_each_other(sample):
    received: dict[str, list[str]] = defaultdict(list)
    for event in sample:
        if event["type"] == DOCUMENTED:
            received[event["data"]["claim_id"]].append(event["data"]["received_date"])
    assert any(dates != sorted(dates) for dates in received.values())


def test_nothing_is_rejected_and_no_history_is_full(folded):
    assert not folded.reasons
    assert "history.capacity" not in folded.rules


def test_every_kind_of_event_makes_claims_be_decided_again(folded):
    assert {change for change, count in folded.again.items() if count} == set(get_args(Change))


def test_records_may_settle_a_claim_or_change_nothing(folded):
    assert folded.again["documentation"] > 0
    assert folded.resultless["documentation"] > 0


def test_strays_are_all_that_is_rejected_and_leave_the_rest_as_it_is(sample, strayed):
    outcome = Outcome(strayed)
    assert set(outcome.reasons) == {"unknown_claim", "id_conflict", "contract"}
    rest = iter(strayed)
    kept = len(strayed) - outcome.reasons.total()
    assert all(event in rest for event in sample[:kept])


def test_a_stray_of_each_way_is_rejected_for_its_reason():
    (claim,) = events(1, seed=7)
    reference = load_reference()
    held = adjudicate(decode(orjson.dumps(claim)), None, reference).history
    strays = one_of_each("7", claim)
    told = [adjudicate(decode(orjson.dumps(stray.event)), held, reference).reason for stray in strays]
    assert told == [stray.reason for stray in strays]
