"""The claim generator: one seed, one stream; all within the contract; the mix that SOURCES.md promises."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from statistics import mean

import orjson
import pytest

from worker.adjudication.decode import Rejected, decode
from worker.devkit.claims import mix as mixes
from worker.devkit.claims.visit import npi
from worker.devkit.generator import bad_records, events

SAMPLE = 20_000


@pytest.fixture(scope="module")
def sample() -> list[dict]:
    return [event["data"] for event in events(SAMPLE, seed=11)]


@pytest.fixture(scope="module")
def units(sample) -> Counter:
    billed: Counter = Counter()
    for claim in sample:
        for line in claim["lines"]:
            billed[line["procedure"]] += line["units"]
    return billed


def generated(*options: str, hash_seed: str = "0") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "worker", "devkit", "generate", *options]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)


def test_one_seed_gives_the_same_bytes_in_every_process():
    runs = [generated("--count", "500", "--seed", "3", hash_seed=hash_seed) for hash_seed in ("1", "2")]
    assert [run.returncode for run in runs] == [0, 0]
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stdout.count(b"\n") == 500


def test_other_seeds_give_other_claims_with_other_ids():
    one, other = (list(events(50, seed)) for seed in (1, 2))
    assert not {event["id"] for event in one} & {event["id"] for event in other}
    assert not {event["data"]["claim_id"] for event in one} & {event["data"]["claim_id"] for event in other}
    assert [event["data"]["lines"] for event in one] != [event["data"]["lines"] for event in other]


def test_a_short_stream_is_the_beginning_of_a_long_one():
    assert list(events(100, seed=5)) == list(events(300, seed=5))[:100]


def test_every_event_is_within_the_contract():
    rejections = [
        decoded
        for event in events(5_000, seed=23)
        if isinstance(decoded := decode(orjson.dumps(event)), Rejected)
    ]
    assert rejections == []


def test_no_id_comes_twice(sample):
    assert len({claim["claim_id"] for claim in sample}) == SAMPLE


def test_claims_are_received_after_their_service(sample):
    assert all(line["service_date"] < claim["received_date"] for claim in sample for line in claim["lines"])


def test_service_dates_span_the_years_from_2019(sample):
    years = Counter(claim["lines"][0]["service_date"][:4] for claim in sample)
    assert sorted(years) == [str(year) for year in range(2019, 2027)]


def test_a_member_comes_again_on_a_later_day_with_the_same_payer(sample):
    days: dict[str, list[str]] = {}
    payers: dict[str, set[str]] = {}
    for claim in sample:
        days.setdefault(claim["member_id"], []).append(claim["lines"][0]["service_date"])
        payers.setdefault(claim["member_id"], set()).add(claim["payer_id"])
    assert all(visits == sorted(set(visits)) for visits in days.values())
    assert all(len(found) == 1 for found in payers.values())
    again = Counter(len(visits) for visits in days.values())
    assert again[1] > again[2] > again[4] > again[8] > 0


@pytest.mark.parametrize(("add_on", "first"), [("17312", "17311"), ("17314", "17313"), ("17315", "17311")])
def test_add_ons_to_first_stages_are_near_the_public_use_file(units, add_on, first):
    published = mixes.load().services(add_on) / mixes.load().services(first)
    assert units[add_on] / units[first] == pytest.approx(published, rel=0.3)


def test_the_two_regions_share_is_near_the_public_use_file(units):
    mix = mixes.load()
    assert units["17313"] / units["17311"] == pytest.approx(
        mix.services("17313") / mix.services("17311"), rel=0.15
    )


@pytest.mark.parametrize("procedure", ["17311", "17312", "17313", "17314", "17315"])
def test_charges_are_near_the_public_use_file(sample, procedure):
    charges = [
        float(line["charge"]) / line["units"]
        for claim in sample
        for line in claim["lines"]
        if line["procedure"] == procedure
    ]
    assert mean(charges) == pytest.approx(mixes.load().charges[procedure, "O"], rel=0.1)


def test_claims_have_two_to_three_lines_and_about_a_kilobyte(sample):
    assert 2 <= mean(len(claim["lines"]) for claim in sample) <= 3
    assert 800 <= mean(len(orjson.dumps(event)) for event in events(2_000, seed=11)) <= 1_200


@pytest.mark.parametrize(
    ("what", "present"),
    [
        ("a claim without records", lambda claim: "documentation" not in claim),
        (
            "records with a fact left out",
            lambda claim: any("borders" not in lesion for lesion in seen(claim)),
        ),
        ("records with a null fact", lambda claim: any(None in lesion.values() for lesion in seen(claim))),
        ("the payer of the candidacy policy", lambda claim: claim["payer_id"] == "CANDIDACY"),
        ("a second lesion", lambda claim: len({line.get("lesion") for line in claim["lines"]} - {None}) > 1),
        ("a Mohs line that names no lesion", lambda claim: any("lesion" not in m for m in mohs(claim))),
        ("a component modifier", lambda claim: any(m["modifiers"] in (["26"], ["TC"]) for m in mohs(claim))),
        ("a claim without Mohs", lambda claim: not mohs(claim)),
        ("a missing first stage", lambda claim: {m["procedure"] for m in mohs(claim)} == {"17312"}),
        ("a repair", lambda claim: any("12001" <= line["procedure"] <= "14350" for line in claim["lines"])),
        ("a biopsy", lambda claim: any(line["procedure"] == "11102" for line in claim["lines"])),
        ("pathology", lambda claim: any(line["procedure"][:2] == "88" for line in claim["lines"])),
        ("a facility", lambda claim: claim["place_of_service"] == "22"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_sample_has(sample, what, present):
    assert any(present(claim) for claim in sample), what


def seen(claim: dict) -> list[dict]:
    return (claim.get("documentation") or {}).get("lesions", [])


def mohs(claim: dict) -> list[dict]:
    return [line for line in claim["lines"] if line["procedure"].startswith("1731")]


def test_the_check_digit_is_the_published_examples():
    """CMS's description of the check digit works through 123456789: its tenth digit is 3."""
    assert luhn_sum("808401234567893") % 10 == 0
    assert all(luhn_sum("80840" + npi(number)) % 10 == 0 for number in range(0, 100_000_000, 1_234_567))


def luhn_sum(digits: str) -> int:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled)


def test_bad_records_are_rejected_for_their_reason():
    for record in bad_records(60, seed=7):
        decoded = decode(record.value)
        if record.reason == "key_mismatch":
            assert not isinstance(decoded, Rejected)
            assert record.key != decoded.data.member_id.encode()
        else:
            assert isinstance(decoded, Rejected)
            assert decoded.reason == record.reason


def test_bad_records_come_in_every_way_and_spoil_no_good_claim():
    bad = bad_records(60, seed=7)
    assert {record.reason for record in bad} == {"undecodable", "unknown_type", "contract", "key_mismatch"}
    assert not {record.key for record in bad} & {e["data"]["member_id"].encode() for e in events(60, seed=7)}


def test_bad_lines_of_a_file_are_at_its_end_and_all_rejected(tmp_path):
    out = tmp_path / "claims.jsonl"
    assert generated("--count", "20", "--bad", "12", "--out", str(out)).returncode == 0
    verdicts = [isinstance(decode(line), Rejected) for line in out.read_bytes().splitlines()]
    assert verdicts == [False] * 20 + [True] * 12


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path):
    run = generated("--count", "1", "--out", str(tmp_path / "absent" / "claims.jsonl"))
    assert run.returncode == 2
    assert run.stderr.decode().count("\n") == 1
    assert "claims.jsonl: No such file or directory" in run.stderr.decode()
