"""The policies and code sets that results were decided by, found again by their digest."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from worker.adjudication import ENGINE
from worker.adjudication.reference import digest_of
from worker.codes import catalog as codes
from worker.codes.errors import CodeSetError
from worker.manifest import MANIFEST
from worker.policies import catalog as policies
from worker.policies.errors import PolicyError
from worker.reference import load_reference
from worker.replay.output.summary import BasisSummary
from worker.replay.reading.evidence import EvidenceError
from worker.replay.reading.recorded import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from worker.adjudication import Reference

PACKAGE = "the package"
DEPTH = 3
"""How far below a given directory former policies and code sets are looked for."""


class Basis(Struct, frozen=True):
    """Where policies and code sets lie that make up a digest; None is what ships with the worker."""

    digest: str
    """``basis.digest`` of the results that were decided by them."""
    engine: str
    policies_digest: str
    code_sets_digest: str
    policies_dir: str | None = None
    codes_dir: str | None = None
    payers: str | None = None
    results: int = 0
    """Published results that name it."""

    def load(self) -> Reference:
        """The reference data; what decides is this engine, whatever ``engine`` says.

        Raises EvidenceError if the files are not any more what they were when the replay was planned.
        """
        try:
            files = (None if one is None else Path(one) for one in self._paths)
            reference = load_reference(*files, draft=True)  # these digests tell more than a manifest
        except (PolicyError, CodeSetError) as error:
            raise EvidenceError(str(error)) from error
        found = (reference.policies.digest, reference.code_sets.digest)
        if found != (self.policies_digest, self.code_sets_digest):
            raise EvidenceError(f"{self.where}: the files have changed since the replay began; begin it anew")
        return reference

    @property
    def where(self) -> str:
        """For a person."""
        given = [one for one in self._paths if one is not None]
        return ", ".join(given) or PACKAGE

    @property
    def _paths(self) -> tuple[str | None, str | None, str | None]:
        return self.policies_dir, self.codes_dir, self.payers

    def summary(self) -> BasisSummary:
        """The same, as ``summary.json`` tells it."""
        digests = self.policies_digest, self.code_sets_digest
        return BasisSummary(self.digest, self.engine, *digests, self.where, self.results)


class Named(NamedTuple):
    """A basis that published results name."""

    engine: str
    digest: str


def basis_at(
    policies_dir: Path | None, codes_dir: Path | None, payers: Path | None, *, draft: bool = False
) -> Basis:
    """The basis that is made up by these files, with the rules of this engine.

    A ``draft`` needs no manifest. Raises EvidenceError where they do not check.
    """
    try:
        reference = load_reference(policies_dir, codes_dir, payers, draft=draft)
    except (PolicyError, CodeSetError) as error:
        raise EvidenceError(str(error)) from error
    digests = (reference.policies.digest, reference.code_sets.digest)
    return Basis(reference.digest, ENGINE, *digests, _name(policies_dir), _name(codes_dir), _name(payers))


def with_others(
    basis: Basis, policies_dir: Path | None, codes_dir: Path | None, payers: Path | None
) -> Basis:
    """A basis in which what is given, a draft or not, stands in for its part of another."""
    given = (policies_dir, codes_dir, payers)
    kept = (basis.policies_dir, basis.codes_dir, None if policies_dir else basis.payers)
    files = [one or (None if other is None else Path(other)) for one, other in zip(given, kept, strict=True)]
    return basis_at(*files, draft=True)


def find_bases(needed: Mapping[Named, int], directories: Sequence[Path]) -> dict[str, Basis]:
    """Each basis that is needed, by how many results, by its digest: of the package, or of directories.

    In a directory, and down to ``DEPTH`` below it, a folder with a ``payers.toml`` is one of policies, and
    one with a folder ``icd10cm`` is one of code sets. A folder may lack a manifest, for what decides is
    whether its digest is the one that results name; where it has one, that must hold. Raises EvidenceError
    for what is not there.
    """
    refuse_absent(directories)
    missing = dict.fromkeys(needed)
    found: dict[str, Basis] = {}
    faults: list[str] = []
    told = list(_policies([None], faults)), list(_code_sets([None], faults))
    _match(missing, found, *told)
    if missing and directories:
        below = [one for directory in directories for one in _folders(directory, DEPTH)]
        told[0].extend(_policies([one for one in below if (one / policies.PAYERS).is_file()], faults))
        told[1].extend(_code_sets([one for one in below if (one / "icd10cm").is_dir()], faults))
        _match(missing, found, *told)
    if missing:
        names = ", ".join(
            f"{one.digest} (engine {_version(one.engine)}, {needed[one]:,} results)" for one in missing
        )
        looked = ", ".join([PACKAGE, *map(str, directories)])
        also = f"; what did not check: {'; '.join(faults)}" if faults else ""
        raise EvidenceError(
            f"the policies and code sets of published results are not to be found: {names}; looked in "
            f"{looked}; give the directory that holds them by --basis{also}"
        )
    return found


def refuse_absent(directories: Iterable[Path]) -> None:
    """Raise EvidenceError for a directory of former policies and code sets that is not there."""
    for directory in directories:
        if not directory.is_dir():
            raise EvidenceError(
                f"{directory}: there is no such directory of former policies or code sets (--basis)"
            )


class _Found(NamedTuple):
    directory: Path | None
    digest: str


def _match(
    missing: dict[Named, None], found: dict[str, Basis], told: Sequence[_Found], codes_told: Sequence[_Found]
) -> None:
    """Move what the pairs of policies and code sets make up from ``missing`` to ``found``."""
    for one, other in product(told, codes_told):
        for named in list(missing):
            if digest_of(named.engine, one.digest, other.digest) == named.digest:
                digests, files = (one.digest, other.digest), (_name(one.directory), _name(other.directory))
                found[named.digest] = Basis(named.digest, named.engine, *digests, *files)
                del missing[named]


def _version(engine: str) -> str:
    """A result can say anything of it: what is no version is not repeated."""
    return engine if VERSION.fullmatch(engine) else "?"


def _name(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _policies(directories: Iterable[Path | None], faults: list[str]) -> Iterator[_Found]:
    for directory in directories:
        try:
            yield _Found(directory, policies.load(directory, draft=_lacks_manifest(directory)).digest)
        except PolicyError as error:
            faults.append(str(error))


def _code_sets(directories: Iterable[Path | None], faults: list[str]) -> Iterator[_Found]:
    for directory in directories:
        try:
            yield _Found(directory, codes.load(directory, draft=_lacks_manifest(directory)).digest)
        except CodeSetError as error:
            faults.append(str(error))


def _lacks_manifest(directory: Path | None) -> bool:
    return directory is not None and not os.path.lexists(directory / MANIFEST)


def _folders(directory: Path, depth: int) -> Iterator[Path]:
    yield directory
    if depth:
        try:
            below = sorted(directory.iterdir())
        except OSError as error:
            raise EvidenceError(f"{directory}: it cannot be looked in: {error.strerror}") from error
        for one in below:
            if one.is_dir() and not one.name.startswith("."):
                yield from _folders(one, depth - 1)


def counted(bases: Iterable[Basis], results: dict[str, int]) -> tuple[Basis, ...]:
    """The bases with how many results name each, by digest."""
    named = (replace(basis, results=results.get(basis.digest, 0)) for basis in bases)
    return tuple(sorted(named, key=lambda basis: (-basis.results, basis.digest)))
