"""What the worker is installed, built and measured with is locked by hash, and comes from one index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.hook import ROOT

LOCKS = [ROOT / "uv.lock", ROOT / "tests" / "bench" / "field" / "quix" / "uv.lock"]


def packages(lock: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(lock.read_text())["package"]
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_of_every_locked_package_has_a_sha256(lock: Path) -> None:
    files = 0
    for package in packages(lock):
        if package["source"].keys() & {"editable", "virtual"}:
            continue  # the project itself
        for file in [*package.get("wheels", []), *filter(None, [package.get("sdist")])]:
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]), package["name"]
            files += 1
    assert files > 100


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_package_comes_from_anywhere_but_the_index(lock: Path) -> None:
    kinds = [tuple(package["source"]) for package in packages(lock)]
    own = [kind for kind in kinds if kind in {("editable",), ("virtual",)}]
    assert len(own) == 1
    assert {kind for kind in kinds if kind not in own} == {("registry",)}
    assert len({package["source"].get("registry") for package in packages(lock)} - {None}) == 1


def test_what_builds_a_wheel_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    hook = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["mypyc"]["dependencies"]
    asked = {re.split(r"[<>=]", one)[0] for one in [*hook, *project["build-system"]["requires"]]}
    group = {re.split(r"[<>=]", one)[0] for one in project["dependency-groups"]["build"]}
    assert asked == group
    assert set(hook) <= set(project["dependency-groups"]["build"])


def test_the_editable_install_is_built_by_the_version_that_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (locked,) = [one["version"] for one in packages(LOCKS[0]) if one["name"] == "hatchling"]
    assert project["tool"]["uv"]["build-constraint-dependencies"] == [f"hatchling=={locked}"]


def test_the_uv_that_reads_the_locks_is_taken_by_hash_too() -> None:
    (pinned,) = re.findall(r"^UV_PINNED := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    required = (ROOT / "deploy" / "uv.txt").read_text().splitlines()[1:]
    assert required[0] == f"uv=={pinned} \\"
    assert len(required) > 10
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?", line) for line in required[1:])
