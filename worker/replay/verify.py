"""Whether the folder of a replay is still what its manifest says, and what it was made from too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from worker.replay.manifest import MANIFEST, OUTPUTS, FileRead, PartitionRead, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.replay.chain import ChainState
    from worker.replay.manifest import Manifest

State: TypeAlias = Literal["matches", "differs", "missing", "added", "not listed", "not checked"]
"""What came of a check:

- ``differs``: there are other bytes, or other records, than the replay has read or written.
- ``missing``: it is not there, or cannot be read.
- ``added``: no output of the replay.
- ``not listed``: an output that every replay has, and that the manifest does not name.
"""
BAD: frozenset[State] = frozenset({"differs", "missing", "added", "not listed"})


class Check(NamedTuple):
    """One thing that was checked, or was not."""

    role: Literal["output", "events", "results"]
    name: str
    state: State
    why: str = ""
    """More to say, for a person."""


def check_outputs(directory: Path, manifest: Manifest) -> Iterator[Check]:
    """Every output by its digest, and whatever else is in the folder and not hidden."""
    listed = {one.name: one for one in manifest.outputs}
    for name in sorted({*OUTPUTS, *listed}):
        if name in listed:
            yield _file("output", name, directory / name, listed[name].bytes, listed[name].sha256)
        else:
            yield Check("output", name, "not listed")
    for one in sorted(directory.iterdir()):
        if one.name not in {MANIFEST, *OUTPUTS, *listed} and not one.name.startswith("."):
            yield Check("output", one.name, "added")


def check_file(read: FileRead, *, asked: bool) -> Check:
    """A file that was read, as far as it is there; when it was ``asked`` for, it has to be."""
    check = _file(read.role, read.name, Path(read.name), read.bytes, read.sha256)
    if check.state == "missing" and not asked:
        return check._replace(state="not checked")
    return check


def check_partition(read: PartitionRead, again: ChainState | str | None) -> Check:
    """A part of a topic, read ``again``; in words where that failed, None where nobody asked for it."""
    name = f"{read.topic}/{read.partition} {read.begin} to {read.end}"
    if again is None:
        return Check(read.role, name, "not checked", "read it again with --inputs")
    if isinstance(again, str):
        return Check(read.role, name, "missing", again)
    if again.records != read.records:
        return Check(read.role, name, "differs", f"{again.records} records, then {read.records}")
    return Check(read.role, name, "matches" if again.digest == read.sha256 else "differs")


def _file(
    role: Literal["output", "events", "results"], name: str, file: Path, size: int, sha256: str
) -> Check:
    try:
        found, digest = sha256_of(file)
    except OSError as error:
        return Check(role, name, "missing", error.strerror or str(error))
    if digest == sha256:
        return Check(role, name, "matches")
    return Check(role, name, "differs", "" if found == size else f"{found} bytes, then {size}")
