"""What other policies or code sets would have decided: exactly what deciding everything by them gives."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.replay.replaykit import Case, decided, made_up, replayed
from tests.replay.test_replay_findings import AT, tampered_at
from worker.adjudication import Limits
from worker.codes.releases import PACKAGE_DATA
from worker.policies.catalog import PACKAGE_POLICIES
from worker.reference import load_reference
from worker.replay.planning.plan import Asked

MOVED = ('at_least = "2.0"', 'at_least = "1.5"')
"""The diameter from which a lesion is large, in centimetres."""


@pytest.fixture(scope="module")
def case() -> Case:
    return made_up(600, seed=9, members=80)


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The package's policies with one threshold moved."""
    return moved_policies(tmp_path / "policies")


def moved_policies(directory: Path) -> Path:
    directory.mkdir()
    for file in PACKAGE_POLICIES.glob("*.toml"):
        shutil.copy(file, directory)
    policy = directory / "mms-medical-policy.toml"
    assert policy.read_text().count(MOVED[0]) == 1
    policy.write_text(policy.read_text().replace(*MOVED))
    return directory


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    """The package's code sets with another unit limit of an additional stage."""
    directory = tmp_path / "codes"
    shutil.copytree(PACKAGE_DATA, directory)
    for file in (directory / "ncci-mue").iterdir():
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(limited(line) for line in lines))
    return directory


def limited(line: str) -> str:
    """A row of unit limits, with one unit of 17312 a day."""
    fields = line.split(",")
    return ",".join([fields[0], "1", *fields[2:]]) if fields[0] == "17312" else line


Decisions = Mapping[tuple[str, str], tuple[Any, ...]]


def decisions(results: list[bytes]) -> Decisions:
    """What is decided, by claim and event: without what another basis changes in any case."""
    return {
        (said["claim_id"], said["cause"]["id"]): (
            said["outcome"],
            said["documentation_needed"],
            [
                (
                    line["line"],
                    line["decision"],
                    line["units_allowed"],
                    line["adjustments"],
                    [
                        (one["rule"], one["verdict"])
                        for one in line["findings"]
                        if "readjud" not in one["rule"]
                    ],
                )
                for line in said["lines"]
            ],
        )
        for said in map(orjson.loads, results)
    }


def differing(before: Decisions, after: Decisions) -> set[str]:
    """Claims of which the two say different things on an event on which both say something."""
    return {
        claim for claim, event in before.keys() & after.keys() if before[claim, event] != after[claim, event]
    }


@pytest.mark.parametrize("parts", [1, 3])
def test_a_moved_threshold_differs_by_policy_where_it_decides_and_nowhere_else(
    tmp_path: Path, case: Case, policies: Path, parts: int
) -> None:
    found = replayed(tmp_path, case, Asked(Limits(), policies=policies), parts=parts)
    by_other = decided(case.events, load_reference(policies, draft=True))
    expected = differing(decisions(case.results), decisions(by_other))
    assert expected
    assert {row.claim_id for row in found.rows} >= expected
    assert found.counts.results_by_cause.keys() == {"policy"}
    assert found.counts.reproduced == len(case.results)
    assert found.plan.kind == "what-if"


def test_other_code_sets_differ_by_code_set(tmp_path: Path, case: Case, codes: Path) -> None:
    found = replayed(tmp_path, case, Asked(Limits(), codes=codes))
    assert found.counts.results_by_cause.keys() == {"code_set"}
    changed = {row.change for row in found.rows}
    assert changed & {"units", "decision"}


def test_with_both_each_difference_is_told_by_what_made_it(
    tmp_path: Path, case: Case, policies: Path, codes: Path
) -> None:
    def claims(name: str, **asked: Path) -> dict[str, set[str]]:
        found = replayed(tmp_path / name, case, Asked(Limits(), **asked))
        rows = found.rows
        return {
            cause: {row.claim_id or "" for row in rows if row.cause == cause}
            for cause in ("policy", "code_set")
        }

    by_policy = claims("policies", policies=policies)["policy"]
    by_codes = claims("codes", codes=codes)["code_set"]
    both = claims("both", policies=policies, codes=codes)
    assert both["policy"] == by_policy
    assert both["code_set"] <= by_codes | by_policy
    assert both["code_set"] >= by_codes - by_policy


def test_the_same_policies_from_elsewhere_differ_in_nothing(tmp_path: Path, case: Case) -> None:
    same = tmp_path / "same"
    shutil.copytree(PACKAGE_POLICIES, same, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    found = replayed(tmp_path, case, Asked(Limits(), policies=same))
    assert found.rows == []
    assert found.counts.outcomes_before == found.counts.outcomes_after


def test_one_of_each_is_told_as_what_it_is_and_nothing_else_is(
    tmp_path: Path, case: Case, policies: Path
) -> None:
    """A changed byte, a result that is gone, one that is there twice, and a moved threshold."""
    results = tampered_at(case, 700).results
    gone, twice = results.pop(AT + 100), results[AT + 200]
    results.insert(AT + 250, twice)
    alone = replayed(tmp_path / "alone", case, Asked(Limits(), policies=policies))
    found = replayed(tmp_path / "all", Case(case.events, results), Asked(Limits(), policies=policies))
    assert found.counts.results_by_cause == {
        "tampered": 1,
        "missing": 1,
        "extra": 1,
        "policy": alone.counts.results_by_cause["policy"],
    }
    named = {
        cause: {row.claim_id for row in found.rows if row.cause == cause} for cause in ("missing", "extra")
    }
    assert named == {
        "missing": {orjson.loads(gone)["claim_id"]},
        "extra": {orjson.loads(twice)["claim_id"]},
    }
    assert [row for row in found.rows if row.cause == "policy"] == alone.rows
