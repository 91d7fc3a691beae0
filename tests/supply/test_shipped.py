"""What comes with the worker: `make sbom` lists it with hashes, `make licences` checks its licences."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import distributions
from typing import Any

import pytest

from tests.hook import ROOT

MAKE = shutil.which("make") or "make"
NAME = "mms-adjudication-worker"


def make(*words: str) -> subprocess.CompletedProcess[str]:
    command = [MAKE, "--no-print-directory", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def sbom() -> dict[str, Any]:
    done = make("sbom")
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["build/sbom.cdx.json"]), done.stderr
    found: dict[str, Any] = json.loads((ROOT / "build" / "sbom.cdx.json").read_text())
    return found


def shipped() -> set[str]:
    """What the project asks for, directly or not, extras included and tools of developers not."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    asks = {
        one["name"]: [
            *one.get("dependencies", []),
            *(each for extra in one.get("optional-dependencies", {}).values() for each in extra),
        ]
        for one in lock
    }
    found, left = set(), [NAME]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [one["name"] for one in asks[name]]
    return found - {NAME}


def test_the_sbom_lists_what_is_shipped_and_no_tool_of_a_developer(sbom: dict[str, Any]) -> None:
    listed = {component["name"] for component in sbom["components"]}
    assert {"aiokafka", "faust-streaming", "orjson", "prometheus-client", "cryptography"} <= listed
    assert listed <= shipped()
    assert not listed & {"pytest", "mypy", "atheris", "hatchling"}


def test_every_component_has_a_version_a_package_url_and_a_hash_of_every_file(sbom: dict[str, Any]) -> None:
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["name"]) == ("CycloneDX", NAME)
    for component in sbom["components"]:
        assert component["purl"].startswith(f"pkg:pypi/{component['name']}@{component['version']}")
        assert component["externalReferences"]
        for file in component["externalReferences"]:
            assert [hashed["alg"] for hashed in file["hashes"]] == ["SHA-256"]


def test_the_licence_of_all_that_is_shipped_is_an_allowed_one() -> None:
    done = make("licences")
    assert done.returncode == 0, done.stderr
    assert "faust-streaming" in done.stdout


def test_the_sbom_lists_all_that_is_installed(sbom: dict[str, Any]) -> None:
    assert make("licences").returncode == 0  # it installs what is shipped
    folders = [str(path) for path in (ROOT / "build" / "shipped" / "env").glob("lib/python*/site-packages")]
    installed = {re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower() for one in distributions(path=folders)}
    assert {"aiokafka", "cryptography", "pyarrow"} <= installed
    assert installed <= {component["name"] for component in sbom["components"]}


def test_a_licence_that_is_not_on_the_list_fails_the_check() -> None:
    command = [".venv/bin/pip-licenses", "--python", "build/shipped/env/bin/python", "--allow-only", "MIT"]
    assert make("licences").returncode == 0
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "not in allow-only licenses was found for package" in done.stdout + done.stderr


def test_no_licence_on_the_list_asks_for_the_source_of_the_worker() -> None:
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pip-licenses"]["allow-only"]
    names = allowed.split(";")
    assert len(names) > 10
    assert not [name for name in names if "GPL" in name or "SSPL" in name or "BUSL" in name]
