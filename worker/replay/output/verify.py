"""Whether the folder of a replay is still what its manifest says, and what it was made from too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import msgspec

from worker.replay.output.manifest import MANIFEST, OUTPUTS, SUMMARY, FileRead, sha256_of
from worker.replay.output.summary import SourceSummary, Summary
from worker.replay.planning.basis import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.replay.output.manifest import Manifest, PartitionRead, Read
    from worker.replay.reading.chain import ChainState

State: TypeAlias = Literal["matches", "differs", "missing", "added", "not listed", "not checked"]
"""What came of a check:

- ``differs``: there are other bytes, or other records, than the replay has read or written.
- ``missing``: it is not there, or cannot be read.
- ``added``: no output of the replay.
- ``not listed``: the manifest does not name it: an output that every replay has, or what the summary says was
  read.
"""
Role: TypeAlias = Literal["output", "events", "results", "policies", "codes", "payers", "signatures"]
EVIDENCE = frozenset({"events", "results"})
BAD: frozenset[State] = frozenset({"differs", "missing", "added", "not listed"})


class Check(NamedTuple):
    """One thing that was checked, or was not."""

    role: Role
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


def check_listed(directory: Path, manifest: Manifest) -> Iterator[Check]:
    """Inputs that the summary tells of and the manifest does not: nothing where they agree."""
    try:
        summary = msgspec.json.decode((directory / SUMMARY).read_bytes(), type=Summary)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        yield Check("output", SUMMARY, "differs", "it does not tell what was read")
        return
    listed = {_identity(one) for one in manifest.inputs}
    for source in summary.sources:
        if _identity(source) not in listed:
            why = f"{SUMMARY} says that it was read, SHA-256 {source.sha256}"
            yield Check(source.role, _place(source.name, source.partition), "not listed", why)
    if all(one.role in EVIDENCE for one in manifest.inputs):
        bases = [*summary.recorded, *([] if summary.compared is None else [summary.compared])]
        for where in dict.fromkeys(basis.where for basis in bases if basis.where != PACKAGE):
            yield Check("policies", where, "not listed", f"{SUMMARY} says that it was decided by")


def _identity(read: Read | SourceSummary) -> tuple[str | int, ...]:
    if isinstance(read, FileRead):
        return read.role, read.name, read.sha256
    if isinstance(read, SourceSummary):
        if read.partition is None:
            return read.role, read.name, read.sha256
        return read.role, _place(read.name, read.partition), read.begin, read.end, read.records, read.sha256
    return read.role, _place(read.topic, read.partition), read.begin, read.end, read.records, read.sha256


def _place(name: str, partition: int | None) -> str:
    return name if partition is None else f"{name}/{partition}"


def check_file(read: FileRead, *, asked: bool) -> Check:
    """A file that was read, as far as it is there; when it was ``asked`` for, it has to be."""
    check = _file(read.role, read.name, Path(read.name), read.bytes, read.sha256)
    if check.state == "missing" and not asked:
        return check._replace(state="not checked")
    return check


def part_name(read: PartitionRead) -> str:
    """What a person knows a part of a topic by."""
    return f"{_place(read.topic, read.partition)} {read.begin} to {read.end}"


def check_partition(read: PartitionRead, again: ChainState | str | None) -> Check:
    """A part of a topic, read ``again``; in words where that failed, None where nobody asked for it."""
    name = part_name(read)
    if again is None:
        return Check(read.role, name, "not checked", "read it again with --inputs")
    if isinstance(again, str):
        return Check(read.role, name, "missing", again)
    if again.records != read.records:
        return Check(read.role, name, "differs", f"{again.records} records, then {read.records}")
    return Check(read.role, name, "matches" if again.digest == read.sha256 else "differs")


def _file(role: Role, name: str, file: Path, size: int, sha256: str) -> Check:
    try:
        found, digest = sha256_of(file)
    except OSError as error:
        return Check(role, name, "missing", error.strerror or str(error))
    if digest == sha256:
        return Check(role, name, "matches")
    return Check(role, name, "differs", "" if found == size else f"{found} bytes, then {size}")
