"""What the tests of the code sets share: the publishers' files and a code directory to change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from worker.codes.releases import PACKAGE_DATA


@pytest.fixture
def publisher_files() -> Path:
    """Small files in the publishers' layouts, of rows that the publishers have published."""
    return Path(__file__).parent / "files"


@pytest.fixture
def code_directory(tmp_path: Path) -> Path:
    """A copy of the package's data."""
    directory = tmp_path / "codes"
    shutil.copytree(PACKAGE_DATA, directory)
    return directory
