"""What lies in a code directory: every set, every release, its rows and its file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import NamedTuple

from worker.codes import sets
from worker.codes.catalog import reader_of


class Entry(NamedTuple):
    """One release of one code set."""

    code_set: str
    holds: str
    release: str
    effective: date
    rows: int
    file: Path


def inventory(directory: Path | None = None) -> list[Entry]:
    """Every release of every set, those that decide first; raises ``CodeSetError``."""
    reader = reader_of(directory, draft=True)
    return [
        Entry(code_set.name, code_set.holds, release.name, release.effective, len(table), release.path)
        for code_set in sets.ALL
        for release, table in reader.releases(code_set)
    ]
