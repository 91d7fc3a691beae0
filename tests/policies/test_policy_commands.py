"""``mms-worker policy``: what a person, and a program, reads of the policies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.policies.conftest import PolicyDirectory, Ran

Policy = Callable[..., Ran]


@pytest.fixture
def two_versions(policy_directory: PolicyDirectory) -> Path:
    """Policies of which the candidacy has a second version, with a lower threshold and another indication."""
    text = (policy_directory.path / "provider-candidacy.toml").read_text()
    first, separator, version = text.partition("\n[[versions]]\n")
    second = version.replace('version = "1"', 'version = "2"').replace("2019-01-01", "2024-01-01")
    second = second.replace('above = "2"', 'above = "1.5"').replace(
        '"scalp", "ear", "neck"', '"ear", "neck", "hand"'
    )
    second = second.replace('id = "high-risk-features"', 'id = "high-risk"')
    ended = version.replace("effective = 2019-01-01", "effective = 2019-01-01\nuntil = 2023-12-31")
    path = policy_directory.path / "provider-candidacy.toml"
    path.write_text(first + separator + ended + separator + second)
    return policy_directory.path


def test_list_shows_every_version_and_who_uses_it(policy_command: Policy, two_versions: Path) -> None:
    ran = policy_command("list", "--dir", two_versions)
    rows = [line.split() for line in ran.out.splitlines()]
    assert rows[0] == ["policy", "version", "effective", "until", "payers", "title"]
    assert [row[:5] for row in rows if row[0] == "provider-candidacy"] == [
        ["provider-candidacy", "1", "2019-01-01", "2023-12-31", "CANDIDACY"],
        ["provider-candidacy", "2", "2024-01-01", "open", "CANDIDACY"],
    ]
    assert ["mms-medical-policy", "1", "2019-01-01", "open", "every", "other"] in [row[:6] for row in rows]
    assert ran.code == 0


def test_list_as_json(policy_command: Policy) -> None:
    listed = json.loads(policy_command("list", "--json").out)
    assert {row["policy"]: row["payers"] for row in listed} == {
        "mms-coding": [],
        "mms-medical-policy": ["every other"],
        "ncci": [],
        "provider-candidacy": ["CANDIDACY"],
    }
    assert {(row["version"], row["effective"], row["until"]) for row in listed} == {("1", "2019-01-01", None)}


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("mms-medical-policy", "mms-medical-policy, version 1, in force from 2019-01-01, open-ended"),
        ("mms-medical-policy", "a pend carries OA-133"),
        ("mms-medical-policy", "tissue-preservation  The lesion lies where preserving tissue matters most"),
        ("mms-medical-policy", "Indications, item 8"),
        ("mms-medical-policy", "· the diameter is at least 2.0 cm"),
        ("mms-medical-policy", "· the patient is immunosuppressed"),
        ("mms-medical-policy", "· the borders are ill-defined"),
        ("mms-medical-policy", "12001 to 13160, 14000 to 14350, 15002 to 15278, 15570 to 15777"),
        ("provider-candidacy", "· the diameter is above 2 cm"),
        ("provider-candidacy", "· the histology shows perineural or perivascular"),
        ("mms-coding", "17312: 17311, 17314: 17313"),
        ("mms-coding", "CO-B15 N674"),
        ("ncci", "99201 to 99499"),
    ],
)
def test_show_says_in_plain_words(policy_command: Policy, policy: str, says: str) -> None:
    ran = policy_command("show", policy)
    assert says in ran.out
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("options", "version"),
    [
        ((), "2"),
        (("--version", "1"), "1"),
        (("--on", "2023-12-31"), "1"),
        (("--on", "2024-01-01"), "2"),
    ],
)
def test_show_chooses_the_version(
    policy_command: Policy, two_versions: Path, options: tuple[str, ...], version: str
) -> None:
    ran = policy_command("show", "provider-candidacy", *options, "--json", "--dir", two_versions)
    shown = json.loads(ran.out)
    assert shown["version"]["version"] == version
    assert "versions" not in shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "lcd"), "there is no policy 'lcd'; there are mms-coding, mms-medical-policy, ncci,"),
        (("show", "ncci", "--version", "3"), "ncci has no version '3'; it has 1"),
        (("show", "ncci", "--on", "2018-12-31"), "no version of ncci is in force on 2018-12-31"),
        (("show", "ncci", "--on", "2020-01-01", "--version", "1"), "give --version or --on, not both"),
        (("diff", "ncci"), "name two versions, or two directories with --dir OLD --dir NEW"),
        (("diff", "ncci", "1"), "name two versions, or two directories with --dir OLD --dir NEW"),
        (("diff", "ncci", "1", "2"), "ncci has no version '2'; it has 1"),
        (("diff", "ncci", "--dir", "a", "--dir", "b", "--dir", "c"), "--dir is given at most twice"),
        (("check", "--codes", "nowhere"), "nowhere: there is no such code directory"),
        (("list", "--dir", "nowhere"), "nowhere: cannot be read: No such file or directory"),
        (("show", "ncci", "--dir", "nowhere"), "nowhere: cannot be read: No such file or directory"),
        (("check", "--dir", "nowhere"), "nowhere: cannot be read: No such file or directory"),
        (("check", "--json", "--dir", "nowhere"), "nowhere: cannot be read: No such file or directory"),
        (("diff", "ncci", "1", "1", "--dir", "nowhere"), "nowhere: cannot be read: No such file"),
        (("list", "--dir", "pyproject.toml"), "pyproject.toml: cannot be read: Not a directory"),
        (("list", "--payers", "nowhere.toml"), "nowhere.toml: cannot be read: No such file or directory"),
        (("check", "--payers", "tests"), "tests: cannot be read: Is a directory"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line(
    policy_command: Policy, arguments: tuple[str, ...], told: str
) -> None:
    ran = policy_command(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("mms-worker: ")
    assert told in ran.err
    assert ran.err.count("\n") == 1


def test_a_policy_file_that_cannot_be_read_is_told_as_the_path_it_is(
    policy_command: Policy, policy_directory: PolicyDirectory
) -> None:
    lcd = policy_directory.path / "lcd.toml"
    lcd.mkdir()
    ran = policy_command("check", "--dir", policy_directory.path)
    assert ran == Ran(2, "", f"mms-worker: {lcd}: cannot be read: Is a directory\n")


def test_codes_that_do_not_check_are_a_fault_of_their_content(policy_command: Policy, tmp_path: Path) -> None:
    (tmp_path / "stray").touch()
    ran = policy_command("check", "--codes", tmp_path)
    assert (ran.code, ran.out) == (1, "")
    assert ": this code set is missing" in ran.err


def test_a_missing_argument_is_named_as_the_help_names_it(policy_command: Policy) -> None:
    for command in ("show", "diff"):
        ran = policy_command(command)
        assert ran.code != 0
        assert "parameter POLICY requires an argument" in ran.err


@pytest.mark.parametrize("command", [("list",), ("show", "mms-coding")])
def test_a_reader_that_has_seen_enough_is_no_fault(command: tuple[str, ...]) -> None:
    whole = [sys.executable, "-m", "worker", "policy", *command]
    with subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 0


def test_check_says_how_many_policies_check(policy_command: Policy) -> None:
    assert policy_command("check") == Ran(0, "4 policies check\n", "")
    assert policy_command("check", "--json") == Ran(0, "[]\n", "")


def test_check_prints_each_fault_with_its_file_and_key(
    policy_command: Policy, policy_directory: PolicyDirectory
) -> None:
    policy_directory.change("ncci.toml", 'carc = "236"', 'carc = "999"')
    policy_directory.change("payers.toml", 'default = "mms-medical-policy"', 'default = "lcd"')
    ncci, payers = policy_directory.path / "ncci.toml", policy_directory.path / "payers.toml"
    faults: list[dict[str, Any]] = [
        {
            "file": str(ncci),
            "key": 'versions[0].rules."ncci.pair".deny.carc',
            "reason": "there is no CARC 999",
        },
        {"file": str(payers), "key": "default", "reason": "there is no policy 'lcd'"},
    ]
    ran = policy_command("check", "--dir", policy_directory.path)
    assert ran.out.splitlines() == [": ".join(fault.values()) for fault in faults]
    assert (ran.code, ran.err) == (1, "")
    ran = policy_command("check", "--dir", policy_directory.path, "--json")
    assert json.loads(ran.out) == faults
    assert ran.code == 1


def test_check_of_another_payers_file(policy_command: Policy, tmp_path: Path) -> None:
    payers = tmp_path / "ours.toml"
    payers.write_text('default = "mms-coding"\n')
    ran = policy_command("check", "--payers", payers)
    assert ran.out == f"{payers}: default: the policy 'mms-coding' has a version without [necessity]\n"
    assert ran.code == 1


def test_policies_that_do_not_check_are_not_shown(
    policy_command: Policy, policy_directory: PolicyDirectory
) -> None:
    policy_directory.change("ncci.toml", 'id = "ncci"', "id = 1")
    ran = policy_command("list", "--dir", policy_directory.path)
    assert ran == Ran(
        1, "", f"mms-worker: {policy_directory.path / 'ncci.toml'}: id: Expected `str`, got `int`\n"
    )


def test_diff_tells_what_changed_between_two_versions(policy_command: Policy, two_versions: Path) -> None:
    ran = policy_command("diff", "provider-candidacy", "1", "2", "--dir", two_versions)
    assert ran.out.splitlines() == [
        "~ version: 1 -> 2",
        "~ effective: 2019-01-01 -> 2024-01-01",
        "- until: 2023-12-31",
        "~ necessity.indications: added high-risk; removed high-risk-features",
        "~ necessity.indications[head-or-neck].any_of[site].one_of: added hand; removed scalp",
        "~ necessity.indications[large-lesion].any_of[diameter_cm].above: 2 -> 1.5",
        "- necessity.indications[high-risk-features].id: high-risk-features",
        "- necessity.indications[high-risk-features].citation: Candidacy, item 6",
        "- necessity.indications[high-risk-features].summary: The tumor has unusual or high-risk features",
        "- necessity.indications[high-risk-features].any_of: histology, high_risk_metastasis",
        "- necessity.indications[high-risk-features].any_of[histology].fact: histology",
        "- necessity.indications[high-risk-features].any_of[histology].any_of: perineural, perivascular",
        "- necessity.indications[high-risk-features].any_of[high_risk_metastasis].fact: true",
        "- necessity.indications[high-risk-features].any_of[high_risk_metastasis].of: high_risk_metastasis",
        "+ necessity.indications[high-risk].id: high-risk",
        "+ necessity.indications[high-risk].citation: Candidacy, item 6",
        "+ necessity.indications[high-risk].summary: The tumor has unusual or high-risk features",
        "+ necessity.indications[high-risk].any_of: histology, high_risk_metastasis",
        "+ necessity.indications[high-risk].any_of[histology].fact: histology",
        "+ necessity.indications[high-risk].any_of[histology].any_of: perineural, perivascular",
        "+ necessity.indications[high-risk].any_of[high_risk_metastasis].fact: true",
        "+ necessity.indications[high-risk].any_of[high_risk_metastasis].of: high_risk_metastasis",
    ]
    assert ran.code == 0


def test_diff_of_a_version_with_itself_is_empty(policy_command: Policy) -> None:
    assert policy_command("diff", "ncci", "1", "1").out == "no difference\n"
    assert policy_command("diff", "ncci", "1", "1", "--json").out == "[]\n"


def test_diff_tells_what_changed_between_two_directories(
    policy_command: Policy, policy_directory: PolicyDirectory, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    policy_directory.path.rename(old)
    policy_directory.path.mkdir()
    for file in old.iterdir():
        (policy_directory.path / file.name).write_bytes(file.read_bytes())
    policy_directory.change("ncci.toml", 'rarc = ["N20"]', "rarc = []")
    policy_directory.change("ncci.toml", '["24", "25", "57"]', '["57", "25", "24"]')
    both = ("--dir", old, "--dir", policy_directory.path)
    assert policy_command("diff", "ncci", *both).out.splitlines() == [
        '~ versions[1].rules."ncci.pair".deny.rarc: removed N20',
        "~ versions[1].edits.em_only_modifiers: order 57, 25, 24",
    ]
    assert json.loads(policy_command("diff", "ncci", "1", "1", *both, "--json").out) == [
        {"key": 'rules."ncci.pair".deny.rarc', "old": ["N20"], "new": []},
        {"key": "edits.em_only_modifiers", "old": ["24", "25", "57"], "new": ["57", "25", "24"]},
    ]


def test_the_command_is_part_of_mms_worker() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "worker", "policy", "check"],
        cwd=Path(__file__).parents[2],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "4 policies check\n", "")
