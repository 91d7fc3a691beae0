"""What the tests of manifests share: folders as the package has them, and the command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from worker.codes.releases import PACKAGE_DATA
from worker.policies.files import PACKAGE_POLICIES

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MMS_")}


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def mms_worker(*arguments: str | Path, **variables: str) -> Ended:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "worker", *map(str, arguments)]
    ran = subprocess.run(
        command, capture_output=True, check=False, text=True, env=ENVIRONMENT | variables, input=""
    )
    return Ended(ran.returncode, ran.stdout, ran.stderr)


def sha256sum(directory: Path, manifest: str = "SHA256SUMS") -> int:
    """What the standard tool says of a manifest: 0 is that all of it holds."""
    check = ["sha256sum", "--check", "--strict", "--quiet", manifest]
    return subprocess.run(check, cwd=directory, capture_output=True, check=False).returncode


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A copy of the package's policies, manifest and all."""
    directory = tmp_path / "policies"
    shutil.copytree(PACKAGE_POLICIES, directory, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return directory


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    """A copy of the package's code sets, manifest and all."""
    return Path(shutil.copytree(PACKAGE_DATA, tmp_path / "codes"))
