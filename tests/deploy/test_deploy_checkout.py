"""A checkout that rewrites line ends, as Git does on Windows, leaves alone what is held by its bytes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.deploy.dockerfile import PROJECT

KEPT = (
    "worker/codes/data",
    "worker/policies",
    "tests/codes/files",
    "tests/fuzz/corpus",
    "tests/fuzz/regressions",
)


def test_line_ends_of_code_sets_policies_and_corpora_are_as_they_were(tmp_path: Path) -> None:
    origin, checkout = tmp_path / "origin", tmp_path / "checkout"
    for folder in KEPT:
        shutil.copytree(PROJECT / folder, origin / folder, ignore=shutil.ignore_patterns("*.py", "*.pyc"))
    shutil.copyfile(PROJECT / ".gitattributes", origin / ".gitattributes")
    (origin / "text.md").write_bytes(b"one\ntwo\n")
    git(origin, "init", "--quiet")
    git(origin, "add", "--all", "--force")
    git(origin, "-c", "core.autocrlf=true", "checkout-index", "--all", f"--prefix={checkout}/")
    assert (checkout / "text.md").read_bytes() == b"one\r\ntwo\r\n"  # so it does rewrite
    for folder in KEPT:
        assert contents(checkout / folder) == contents(origin / folder) != {}


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-C", str(folder), *arguments]
    subprocess.run(command, check=True, capture_output=True)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
