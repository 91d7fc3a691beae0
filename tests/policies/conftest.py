"""What the tests of the policies share: a policy directory to change, and the command line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from worker.commands.policy import app, vocabulary
from worker.policies.catalog import PACKAGE_POLICIES
from worker.policies.code_checks import Vocabulary


class Ran(NamedTuple):
    code: int
    out: str
    err: str


class PolicyDirectory:
    """A copy of the package's policies whose files a test changes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def change(self, file: str, old: str, new: str) -> None:
        """Replace the one place where ``old`` stands."""
        text = (self.path / file).read_text()
        assert text.count(old) == 1, (file, old, text.count(old))
        (self.path / file).write_text(text.replace(old, new))

    def append(self, file: str, text: str) -> None:
        with (self.path / file).open("a") as policy:
            policy.write(text)


@pytest.fixture
def policy_directory(tmp_path: Path) -> PolicyDirectory:
    directory = tmp_path / "policies"
    directory.mkdir()
    for file in PACKAGE_POLICIES.glob("*.toml"):
        shutil.copy(file, directory)
    return PolicyDirectory(directory)


@pytest.fixture(scope="session")
def known_codes() -> Vocabulary:
    """The codes of the package's code sets."""
    return vocabulary()


@pytest.fixture
def policy_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Runs ``mms-worker policy`` with arguments, on a terminal wide enough to fold nothing."""
    monkeypatch.setenv("COLUMNS", "250")

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            app([str(argument) for argument in arguments])
            code = 0
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run
