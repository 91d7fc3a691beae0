"""The end of a replay: all shards are done, and what they left becomes the folder's files."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from worker.replay.output import manifest, summing
from worker.replay.output.reference_files import reference_files
from worker.replay.output.report import report
from worker.replay.output.tables import write_tables
from worker.replay.reading.archives import FileFacts
from worker.replay.reading.evidence import EvidenceError
from worker.replay.running.aside import reading_rows
from worker.replay.running.whole import PRIVATE, SHARED, write_whole
from worker.replay.running.working import ShardFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.replay.output.summary import Summary
    from worker.replay.planning.plan import Plan
    from worker.replay.telling.outcome import ShardOutcome


def conclude(
    directory: Path,
    plan: Plan,
    outcomes: Sequence[ShardOutcome],
    runs: Sequence[manifest.Run],
    now: Callable[[], str],
) -> tuple[Summary, str]:
    """Write tables, summary, report and manifest; returns the summary and the manifest's SHA-256.

    Each file is whole or not there. Raises EvidenceError where a file that was read is not what it was when
    the replay was planned, OSError where the folder cannot be written.
    """
    for one in plan.inputs:
        if isinstance(one, FileFacts):
            _refuse_changed(one)
    references = reference_files(plan)
    summary = summing.summed(plan, outcomes)
    mode = PRIVATE if plan.with_phi else SHARED
    rows = chain.from_iterable(reading_rows(ShardFiles(directory, one.number).rows) for one in plan.shards)
    write_tables(rows, directory / manifest.CSV, directory / manifest.PARQUET, with_phi=plan.with_phi)
    write_whole(directory / manifest.SUMMARY, summing.encoded(summary), mode)
    write_whole(directory / manifest.REPORT, report(summary, summing.shown(outcomes)).encode(), mode)
    read = [*manifest.evidence_read(plan, summary), *references]
    return summary, manifest.write_manifest(directory, summary, read, runs, now())


def _refuse_changed(file: FileFacts) -> None:
    try:
        same = manifest.sha256_of(Path(file.name)) == (file.bytes, file.sha256)
    except OSError as error:
        raise EvidenceError(f"{file.name}: {error.strerror}, though it was read before") from error
    if not same:
        raise EvidenceError(f"{file.name}: it was changed while it was replayed; begin a new replay")
