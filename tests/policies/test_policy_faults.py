"""What does not check is told with file, key and reason, and makes a worker refuse to start."""

from __future__ import annotations

import shutil
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.policies.conftest import PolicyDirectory
from worker.policies.catalog import PolicyError, check, load
from worker.policies.code_checks import Vocabulary

MEDICAL, CANDIDACY, CODING, NCCI, PAYERS = (
    "mms-medical-policy.toml", "provider-candidacy.toml", "mms-coding.toml", "ncci.toml", "payers.toml",
)  # fmt: skip
SECOND = """
[[versions]]
version = "2"
effective = 2024-01-01
changes = "The same again."
[versions.rules]
"ncci.pair" = { citation = "any", deny = { group = "CO", carc = "236" } }
"ncci.units-per-day" = { citation = "any", deny = { group = "CO", carc = "151" } }
"ncci.duplicate" = { citation = "any", deny = { group = "OA", carc = "18" } }
"ncci.no-edit" = { citation = "any" }
[versions.edits]
em = [["99201", "99499"]]
em_only_modifiers = ["24", "25", "57"]
"""
"""A second version of the NCCI policy."""

TABLE: dict[str, list[dict[str, Any]]] = tomllib.loads((Path(__file__).parent / "faults.toml").read_text())
KEEPS_FROM_STARTING = TABLE["form"] + TABLE["consistency"]


def named(faults: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(fault, id=fault["name"]) for fault in faults]


@pytest.mark.parametrize("fault", named(KEEPS_FROM_STARTING + TABLE["codes"]))
def test_check_tells_file_key_and_reason(
    fault: dict[str, Any], policy_directory: PolicyDirectory, known_codes: Vocabulary
) -> None:
    policy_directory.change(fault["file"], fault["replace"], fault["by"])
    faults = check(policy_directory.path, vocabulary=known_codes)
    file = policy_directory.path / fault["file"]
    assert list(map(str, faults)) == [f"{file}: {told}" for told in fault["told"]]


@pytest.mark.parametrize("fault", named(KEEPS_FROM_STARTING))
def test_loading_refuses_with_the_same_faults(
    fault: dict[str, Any], policy_directory: PolicyDirectory
) -> None:
    policy_directory.change(fault["file"], fault["replace"], fault["by"])
    with pytest.raises(PolicyError) as refused:
        load(policy_directory.path, draft=True)
    assert list(refused.value.faults) == check(policy_directory.path)


def test_no_two_faults_have_the_same_name() -> None:
    names = [fault["name"] for faults in TABLE.values() for fault in faults]
    assert len(set(names)) == len(names)


UNTIL = "effective = 2019-01-01\nuntil = {}"
SUCCESSIONS: dict[str, tuple[str | None, list[str]]] = {
    "the day before": ("2023-12-31", []),
    "two days before": (
        "2023-12-30",
        ["effective: it leaves a gap after version '1', which ends 2023-12-30"],
    ),
    "the same day": ("2024-01-01", ["effective: it overlaps version '1', which lasts until 2024-01-01"]),
    "never": (None, ["effective: it overlaps version '1', which is open-ended"]),
}


@pytest.mark.parametrize("ends", SUCCESSIONS)
def test_a_version_follows_one_that_ends_on_the_day_before_it_begins(
    ends: str, policy_directory: PolicyDirectory
) -> None:
    until, faults = SUCCESSIONS[ends]
    if until is not None:
        policy_directory.change(NCCI, "effective = 2019-01-01", UNTIL.format(until))
    policy_directory.append(NCCI, SECOND)
    assert seen_in(policy_directory, NCCI) == [f"versions[1].{fault}" for fault in faults]


def test_versions_stand_in_the_order_of_their_dates(policy_directory: PolicyDirectory) -> None:
    policy_directory.change(NCCI, "effective = 2019-01-01", "effective = 2024-01-01")
    policy_directory.append(NCCI, SECOND)
    assert seen_in(policy_directory, NCCI) == [
        "versions[1].effective: versions stand in the order of their dates, each effective on a later day"
    ]


def test_two_versions_have_two_names(policy_directory: PolicyDirectory) -> None:
    policy_directory.change(NCCI, "effective = 2019-01-01", UNTIL.format("2023-12-31"))
    policy_directory.append(NCCI, SECOND.replace('version = "2"', 'version = "1"'))
    assert seen_in(policy_directory, NCCI) == ["versions[1].version: two versions are named '1'"]


def test_a_second_version_takes_over_on_its_first_day(policy_directory: PolicyDirectory) -> None:
    policy_directory.change(NCCI, "effective = 2019-01-01", UNTIL.format("2023-12-31"))
    policy_directory.append(NCCI, SECOND)
    first, second = load(policy_directory.path, draft=True).documents["ncci"].versions
    document = load(policy_directory.path, draft=True).documents["ncci"]
    assert first.until is not None
    assert document.on(first.until) == first
    assert document.on(second.effective) == second


@pytest.mark.parametrize(("until", "faults"), [("2018-05-01", 0), ("2018-05-02", 1)])
def test_a_reason_code_lasts_as_long_as_the_version_that_uses_it(
    until: str, faults: int, policy_directory: PolicyDirectory, known_codes: Vocabulary
) -> None:
    """CARC 15 ended on 2018-05-01."""
    assert known_codes["carc"]["15"] == date(2018, 5, 1)
    policy_directory.change(NCCI, "effective = 2019-01-01", f"effective = 2018-01-01\nuntil = {until}")
    policy_directory.change(NCCI, 'carc = "236"', 'carc = "15"')
    after = date.fromisoformat(until) + timedelta(days=1)
    policy_directory.append(NCCI, SECOND.replace("2024-01-01", after.isoformat()))
    assert len(check(policy_directory.path, vocabulary=known_codes)) == faults


def test_every_fault_of_every_file_is_told_at_once(policy_directory: PolicyDirectory) -> None:
    policy_directory.change(MEDICAL, 'citation = "Indications, item 1"', 'citation = ""')
    policy_directory.change(MEDICAL, 'citation = "Indications, item 7"', 'citation = ""')
    policy_directory.change(CODING, 'carc = "107"', "carc = 107")
    policy_directory.change(PAYERS, "CANDIDACY = ", "CANDIDATE = 1 # ")
    with pytest.raises(PolicyError) as refused:
        load(policy_directory.path, draft=True)
    head, *lines = str(refused.value).splitlines()
    assert head == "the policies have 4 faults"
    assert [line.removeprefix(f"{policy_directory.path}/") for line in lines] == [
        f'{CODING}: versions[0].rules."structure.parent-absent".deny.carc: Expected `str`, got `int`',
        f"{MEDICAL}: versions[0].necessity.indications[0].citation: Expected `str` of length >= 1",
        f"{MEDICAL}: versions[0].necessity.indications[6].citation: Expected `str` of length >= 1",
        f'{PAYERS}: necessity."CANDIDATE": Expected `str`, got `int`',
    ]


def test_a_policy_with_faults_of_its_own_is_not_told_as_the_payers_fault(
    policy_directory: PolicyDirectory,
) -> None:
    policy_directory.change(CANDIDACY, 'citation = "Candidacy, item 3"', "citation = 3")
    with pytest.raises(PolicyError) as refused:
        load(policy_directory.path, draft=True)
    assert [fault.file.name for fault in refused.value.faults] == [CANDIDACY]


@pytest.mark.parametrize("owner", [MEDICAL, CODING, NCCI])
def test_the_policies_that_the_engine_asks_for_have_to_be_there(
    policy_directory: PolicyDirectory, owner: str
) -> None:
    (policy_directory.path / owner).unlink()
    with pytest.raises(PolicyError, match=f"{owner} is missing, and the engine needs it"):
        load(policy_directory.path, draft=True)


def test_a_section_of_another_policy_is_told(policy_directory: PolicyDirectory) -> None:
    shutil.copy(policy_directory.path / NCCI, policy_directory.path / "own-edits.toml")
    policy_directory.change("own-edits.toml", 'id = "ncci"', 'id = "own-edits"')
    assert seen_in(policy_directory, "own-edits.toml") == [
        "versions[0].edits: only the policy 'ncci' is asked for it"
    ]


def test_a_file_that_is_not_utf_8_is_told(policy_directory: PolicyDirectory) -> None:
    (policy_directory.path / "latin.toml").write_bytes(b'id = "na\xefve"')
    assert seen_in(policy_directory, "latin.toml") == ["not UTF-8 at byte 8"]


def test_a_directory_without_payers_is_told(policy_directory: PolicyDirectory) -> None:
    (policy_directory.path / PAYERS).unlink()
    assert seen_in(policy_directory, PAYERS) == ["cannot be read: No such file or directory"]


def test_a_directory_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as refused:
        load(tmp_path / "nowhere")
    assert str(refused.value) == f"{tmp_path / 'nowhere'}: there is no such directory of policies"


def test_another_payers_file_stands_in_for_the_directory_s_own(tmp_path: Path) -> None:
    payers = tmp_path / "our-payers.toml"
    payers.write_text('default = "provider-candidacy"\n[necessity]\n"ACME 1" = "mms-medical-policy"\n')
    policies = load(payers=payers, draft=True)
    assert policies.necessity_id("CANDIDACY") == policies.necessity_id("anyone") == "provider-candidacy"
    assert policies.necessity_id("ACME 1") == "mms-medical-policy"


def test_the_digest_changes_with_any_file_that_is_read(
    policy_directory: PolicyDirectory, tmp_path: Path
) -> None:
    shipped = load(policy_directory.path, draft=True).digest
    assert shipped == load().digest
    payers = tmp_path / "payers.toml"
    payers.write_text('default = "mms-medical-policy"\n')
    assert load(policy_directory.path, payers, draft=True).digest != shipped
    policy_directory.append(NCCI, "\n# A remark.\n")
    assert load(policy_directory.path, draft=True).digest != shipped


def seen_in(directory: PolicyDirectory, file: str) -> list[str]:
    """Key and reason of what is wrong; it has to be of that one file."""
    faults = check(directory.path)
    assert {fault.file for fault in faults} <= {directory.path / file}
    return [": ".join(filter(None, fault[1:])) for fault in faults]
