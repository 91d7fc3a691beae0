"""The package's own files are as its manifests list them, and none of them can change unseen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.manifests.conftest import sha256sum
from worker.codes import catalog as codes
from worker.codes.errors import CodeSetError
from worker.codes.releases import PACKAGE_DATA
from worker.manifest import MANIFEST
from worker.policies import catalog as policies
from worker.policies.errors import PolicyError
from worker.policies.files import PACKAGE_POLICIES
from worker.reference import load_reference


def below(directory: Path, pattern: str) -> list[str]:
    return [path.relative_to(directory).as_posix() for path in sorted(directory.glob(pattern))]


POLICIES, CODES = below(PACKAGE_POLICIES, "*.toml"), below(PACKAGE_DATA, "*/*")


def flip_first(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def flip_last(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def append(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\n")


HARM = [flip_first, flip_last, append, Path.unlink]


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Folders of policies and of code sets, which each test leaves as it found them."""
    directory = tmp_path_factory.mktemp("copies")
    shutil.copytree(
        PACKAGE_POLICIES, directory / "policies", ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    shutil.copytree(PACKAGE_DATA, directory / "codes")
    yield directory / "policies", directory / "codes"
    load_reference(directory / "policies", directory / "codes")


def test_the_policies_are_as_their_manifest_lists_them() -> None:
    """Edited on purpose? ``mms-worker policy manifest`` writes it anew."""
    assert {path: path.read_bytes() for path in policies.manifests()} == policies.manifests()
    assert sha256sum(PACKAGE_POLICIES) == 0


def test_the_code_sets_are_as_their_manifest_lists_them() -> None:
    """Edited on purpose? ``mms-worker codes manifest`` writes it anew."""
    assert {path: path.read_bytes() for path in codes.manifests()} == codes.manifests()
    assert sha256sum(PACKAGE_DATA) == 0


def test_the_copies_that_the_tests_harm_are_taken_as_they_are(copies: tuple[Path, Path]) -> None:
    assert load_reference(*copies).digest == load_reference().digest


@contextmanager
def harmed(file: Path, harm: Callable[[Path], None]) -> Iterator[None]:
    """A file that is not as it was, for a while."""
    whole = file.read_bytes()
    harm(file)
    try:
        yield
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("name", POLICIES)
def test_any_policy_file_that_has_changed_is_refused_by_its_name(
    copies: tuple[Path, Path], name: str, harm: Callable[[Path], None]
) -> None:
    file = copies[0] / name
    with harmed(file, harm), pytest.raises(PolicyError) as refused:
        policies.load(copies[0])
    assert str(refused.value).startswith(f"{file}: ")
    assert f"`mms-worker policy manifest --dir {copies[0]}`" in str(refused.value)


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("name", CODES)
def test_any_code_file_that_has_changed_is_refused_by_its_name(
    copies: tuple[Path, Path], name: str, harm: Callable[[Path], None]
) -> None:
    """Those for the authors of policies among them, though no claim is decided by them."""
    file = copies[1] / name
    with harmed(file, harm), pytest.raises(CodeSetError) as refused:
        codes.reader_of(copies[1])
    told = str(refused.value)
    if file.parent == refused.value.file:  # the set's only release
        assert told == f"{file.parent}: this code set has no release"
    else:
        assert told.startswith(f"{file}: ")
        assert f"`mms-worker codes manifest --dir {copies[1]}`" in told


@pytest.mark.parametrize("byte", range(0, 64, 7))
def test_a_digest_that_has_changed_is_refused(copies: tuple[Path, Path], byte: int) -> None:
    manifest = copies[0] / MANIFEST
    whole = manifest.read_bytes()
    other = b"0" if whole[byte : byte + 1] != b"0" else b"1"
    manifest.write_bytes(whole[:byte] + other + whole[byte + 1 :])
    try:
        with pytest.raises(PolicyError, match="it is not what SHA256SUMS says"):
            policies.load(copies[0])
    finally:
        manifest.write_bytes(whole)


@pytest.mark.parametrize(
    "happened", [Path.unlink, lambda file: file.rename(file.with_name("2027-10-01_X.txt"))]
)
def test_releases_that_change_between_listing_and_reading_are_refused(
    copies: tuple[Path, Path], happened: Callable[[Path], object]
) -> None:
    folder = copies[1] / "icd10cm"
    reader = codes.reader_of(copies[1])
    before = {file: file.read_bytes() for file in folder.iterdir()}
    happened(max(before))
    try:
        with pytest.raises(CodeSetError, match="icd10cm: its files changed while they were read: try again"):
            codes.load_by(reader)
    finally:
        for file in set(folder.iterdir()) - before.keys():
            file.unlink()
        max(before).write_bytes(before[max(before)])
