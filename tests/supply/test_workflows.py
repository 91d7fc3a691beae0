"""The workflows for GitHub: every action is pinned by commit, and no job may more than it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hook import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
EACH = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
WRITES = {"release.yml": {"wheel": {"id-token", "attestations"}}}
"""What a job may write, by file and job; all others only read."""


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
    return found


def test_there_are_workflows() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]


@EACH
def test_every_action_is_pinned_by_its_commit_and_names_its_version(path: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


@EACH
def test_nothing_is_allowed_but_what_a_job_asks_for(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    for name, job in jobs(path).items():
        asked = dict(job["permissions"])
        assert asked.pop("contents") == "read"
        assert set(asked) == WRITES.get(path.name, {}).get(name, set())


@EACH
def test_no_credential_stays_in_the_checkout_and_every_job_ends(path: Path) -> None:
    for job in jobs(path).values():
        assert job["timeout-minutes"] <= 90
        (checkout,) = [step for step in job["steps"] if "/checkout@" in step.get("uses", "")]
        assert checkout["with"] == {"persist-credentials": False}


@EACH
def test_what_a_stranger_writes_is_neither_run_nor_given_secrets(path: Path) -> None:
    text = path.read_text()
    (triggers,) = [value for key, value in yaml.safe_load(text).items() if key in {"on", True}]
    assert set(triggers) <= {"push", "pull_request"}
    assert "secrets." not in text
    commands = [step["run"] for job in jobs(path).values() for step in job["steps"] if "run" in step]
    assert commands
    assert not any("${{" in command for command in commands)


def test_ci_runs_what_a_developer_runs() -> None:
    commands = [step.get("run") for step in jobs(WORKFLOWS[0])["ci"]["steps"]]
    assert ".ci/run" in commands
