"""``manifest.json``: the SHA-256 of all that a replay has read and written, to be checked at any time."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
from msgspec import Struct

from worker import __version__
from worker.replay.output.summary import BasisSummary
from worker.replay.reading.archives import FileFacts
from worker.replay.reading.evidence import EvidenceError
from worker.replay.running.whole import PRIVATE, SHARED, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from worker.replay.output.summary import Summary
    from worker.replay.planning.plan import Plan

MANIFEST = "manifest.json"
SUMMARY = "summary.json"
CSV = "differences.csv"
PARQUET = "differences.parquet"
REPORT = "report.html"
OUTPUTS = (CSV, PARQUET, REPORT, SUMMARY)
"""What a replay leaves beside its manifest."""


class FileRead(Struct, frozen=True, tag="file", tag_field="kind"):
    """A file that was read: evidence, or one of those that it was decided by."""

    role: Literal["events", "results", "policies", "codes", "payers"]
    name: str
    """As it was given."""
    bytes: int
    sha256: str


class PartitionRead(Struct, frozen=True, tag="partition", tag_field="kind"):
    """A part of a topic's partition that was read."""

    role: Literal["events", "results"]
    topic: str
    partition: int
    begin: int
    end: int
    """The first offset behind it."""
    records: int
    """How many were taken, from ``begin`` on: of results that lie behind the window the last are left out."""
    sha256: str
    """Chained over these records (``worker.replay.reading.chain``)."""


Read: TypeAlias = FileRead | PartitionRead


class Written(Struct, frozen=True):
    """A file in the same folder as the manifest."""

    name: str
    bytes: int
    sha256: str


class Run(Struct, frozen=True):
    """A time that the program was run: the first, and one more each time that it was resumed."""

    started: str
    """ISO 8601 in UTC to the second."""
    command: tuple[str, ...]
    """What stood behind the program's name."""


class Manifest(Struct, frozen=True):
    """The whole of ``manifest.json``."""

    version: Literal[1]
    tool: str
    """Name and version of the program."""
    engine: str
    runs: tuple[Run, ...]
    finished: str
    recorded: tuple[BasisSummary, ...]
    compared: BasisSummary | None
    inputs: tuple[Read, ...]
    outputs: tuple[Written, ...]


def write_manifest(
    directory: Path, summary: Summary, read: Iterable[Read], runs: Sequence[Run], finished: str
) -> str:
    """Write the manifest of what was read and of what is in the folder; returns its own SHA-256."""
    manifest = Manifest(
        version=1,
        tool=f"mms-adjudication-worker {__version__}",
        engine=summary.engine,
        runs=tuple(runs),
        finished=finished,
        recorded=summary.recorded,
        compared=summary.compared,
        inputs=tuple(read),
        outputs=tuple(_written(directory / name) for name in OUTPUTS),
    )
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    write_whole(directory / MANIFEST, data, PRIVATE if summary.with_phi else SHARED)
    return hashlib.sha256(data).hexdigest()


def read_manifest(directory: Path) -> tuple[Manifest, str]:
    """The manifest of a folder and its SHA-256. Raises EvidenceError where there is none to read."""
    file = directory / MANIFEST
    try:
        data = file.read_bytes()
        manifest = msgspec.json.decode(data, type=Manifest)
    except OSError as error:
        raise EvidenceError(f"{file}: {error.strerror}; a replay that is done has a manifest") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EvidenceError(f"{file}: it is no manifest of a replay, or was changed: {error}") from error
    for one in manifest.outputs:
        if one.name in {"", ".", "..", MANIFEST} or Path(one.name).name != one.name:
            raise EvidenceError(f"{file}: it was changed: it names an output that is not in its folder")
    return manifest, hashlib.sha256(data).hexdigest()


def sha256_of(file: Path) -> tuple[int, str]:
    """Bytes of a file and their SHA-256 in hex. Raises OSError."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return stream.tell(), digest


def evidence_read(plan: Plan, summary: Summary) -> Iterable[Read]:
    """The files and partitions of events and results, as a manifest lists them."""
    for one in plan.inputs:
        if isinstance(one, FileFacts):
            yield FileRead(one.role, one.name, one.bytes, one.sha256)
    for source in summary.sources:
        if source.partition is not None:
            yield PartitionRead(
                source.role,
                source.name,
                source.partition,
                source.begin,
                source.end,
                source.records,
                source.sha256,
            )


def _written(file: Path) -> Written:
    size, digest = sha256_of(file)
    return Written(file.name, size, digest)
