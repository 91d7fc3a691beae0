"""Former policies are known by the digest that results name; a manifest that they have must hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.adjudication import ENGINE
from worker.manifest import MANIFEST
from worker.policies.catalog import manifests
from worker.reference import load_reference
from worker.replay.planning.basis import Basis, Named, basis_at, find_bases, with_others
from worker.replay.reading.evidence import EvidenceError


@pytest.fixture
def former(policies: Path) -> Path:
    """Policies that once were in force, archived without a manifest."""
    with (policies / "ncci.toml").open("a") as file:
        file.write("# another edition\n")
    (policies / MANIFEST).unlink()
    return policies


def found(directory: Path, digest: str) -> dict[str, Basis]:
    return find_bases({Named(ENGINE, digest): 1}, [directory])


def test_they_are_found_without_a_manifest(former: Path) -> None:
    digest = load_reference(former, draft=True).digest
    assert found(former, digest)[digest].policies_dir == str(former)


def test_they_are_found_with_the_manifest_that_lists_them(former: Path) -> None:
    for path, content in manifests(former).items():
        path.write_bytes(content)
    digest = load_reference(former).digest
    assert found(former, digest)[digest].load().digest == digest


def test_the_file_that_has_changed_since_is_named(former: Path) -> None:
    for path, content in manifests(former).items():
        path.write_bytes(content)
    digest = load_reference(former).digest
    with (former / "ncci.toml").open("a") as file:
        file.write("# changed\n")
    with pytest.raises(EvidenceError, match=r"ncci\.toml: it is not what SHA256SUMS says"):
        found(former, digest)


def test_one_that_has_changed_is_not_taken_for_another_without_a_manifest_either(former: Path) -> None:
    digest = load_reference(former, draft=True).digest
    with (former / "ncci.toml").open("a") as file:
        file.write("# changed\n")
    with pytest.raises(EvidenceError, match="are not to be found"):
        found(former, digest)


def test_what_is_in_force_needs_a_manifest_and_what_is_compared_does_not(former: Path) -> None:
    with pytest.raises(EvidenceError, match="there is no manifest of these files"):
        basis_at(former, None, None)
    shipped = basis_at(None, None, None)
    assert with_others(shipped, former, None, None).policies_digest != shipped.policies_digest
