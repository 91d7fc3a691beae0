"""NCCI PTP-associated modifiers: those that bypass an edit with indicator 1, by CMS's three classes."""

from __future__ import annotations

from pathlib import Path

from worker.codes.tables.rows import MODIFIER, read_rows

SUFFIX = ".csv"
CLASSES = ("anatomic", "global-surgery", "other")


def parse_bypass_modifiers(text: str, source: Path) -> frozenset[str]:
    """Every modifier of the release."""
    found: set[str] = set()
    for row in read_rows(text, source, ("modifier", "class")):
        row.one_of("class", CLASSES)
        found.add(row.shaped("modifier", MODIFIER))
    return frozenset(found)
