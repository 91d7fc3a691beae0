"""The files of policies and code sets that a replay has decided by, with their digests for its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from worker.codes import sets
from worker.policies.catalog import PAYERS
from worker.replay.output.manifest import FileRead, sha256_of
from worker.replay.reading.evidence import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.replay.planning.basis import Basis
    from worker.replay.planning.plan import Plan

Role: TypeAlias = Literal["policies", "codes", "payers"]


def reference_files(plan: Plan) -> list[FileRead]:
    """Every file of the directories that were given; what ships with the worker is told by its digests alone.

    Raises EvidenceError where one is not what it was when the replay was planned.
    """
    bases = [one for one in (*plan.recorded, plan.other, plan.other_policies) if one is not None]
    files = dict.fromkeys(file for basis in bases for file in _files(basis))
    read = [_read(role, path) for role, path in files]
    for basis in bases:
        if any(_given(basis)):
            basis.load()  # after they were digested, so that these digests are those of what decided
    return read


def _given(basis: Basis) -> tuple[str | None, str | None, str | None]:
    return basis.policies_dir, basis.codes_dir, basis.payers


def _files(basis: Basis) -> Iterator[tuple[Role, Path]]:
    policies, codes, payers = (None if one is None else Path(one) for one in _given(basis))
    if policies is not None:
        for file in sorted(policies.glob("*.toml")):
            if payers is None or file.name != PAYERS:
                yield "policies", file
    if codes is not None:
        for code_set in sets.ALL:
            for file in sorted((codes / code_set.name).glob("[!.]*")):
                yield "codes", file
    if payers is not None:
        yield "payers", payers


def _read(role: Role, path: Path) -> FileRead:
    try:
        return FileRead(role, str(path), *sha256_of(path))
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror}, though it was read before") from error
