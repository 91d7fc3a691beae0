"""NCCI procedure-to-procedure edits, one release, in a form that a whole release fits into.

A line holds what many edits share, and the codes of column 2 that share it::

    <column 1> <modifier indicator> <effective or -> <deletion or -> <column 2> <column 2> …
    17311 0 - 2020-12-31 0228T 0230T

``-`` for the effective date: the source does not tell it; for the deletion date: not deleted. A release of
CMS has over two million edits of some 16,000 column-1 codes, and a worker asks about a few dozen of these.
So the lines are checked when they are read, and the codes of a column-1 code are taken apart when it is
first asked about.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date
from pathlib import Path
from typing import NamedTuple

from worker.codes.errors import CodeSetError

SUFFIX = ".txt"
NEVER_APPLIES = 9

_DAY = r"(?:-|\d{4}-\d\d-\d\d)"
_LINE = re.compile(rf"[0-9A-Z]{{5}} [019] {_DAY} {_DAY}(?: [0-9A-Z]{{5}})++\n")
_WHOLE = re.compile(rf"(?:{_LINE.pattern})++")


class Edit(NamedTuple):
    """What an edit says: from when to when (both included), and whether a modifier bypasses it."""

    effective: date
    """``date.min`` when the source does not tell."""
    deletion: date
    """``date.max`` when it is not deleted."""
    indicator: int
    """0 not allowed, 1 allowed, 9 not applicable."""


_NO_EDITS: dict[str, tuple[Edit, ...]] = {}


class Pairs:
    """The edits of one release; ``worker.adjudication.codesets.PairTable``."""

    __slots__ = ("_lines", "_taken_apart")

    def __init__(self, lines: dict[str, list[tuple[Edit, str]]]) -> None:
        self._lines = lines
        self._taken_apart: dict[str, dict[str, tuple[Edit, ...]] | None] = dict.fromkeys(lines)

    def indicator(self, column_1: str, column_2: str, day: date) -> int | None:
        """0 or 1 when an edit applies on ``day``, else None; the strictest of several, 9 never."""
        edits = self._of(column_1).get(column_2)
        if edits is None:
            return None
        strictest = None
        for effective, deletion, indicator in edits:
            if effective <= day <= deletion and indicator != NEVER_APPLIES:
                strictest = indicator if strictest is None else min(strictest, indicator)
        return strictest

    def second_codes(self, column_1: str) -> Collection[str]:
        """The codes of column 2 that stand beside one of column 1, whether their edits apply or not."""
        return self._of(column_1)

    def edits(self, column_1: str, column_2: str) -> tuple[Edit, ...]:
        """Every edit of a pair, whether it applies or not."""
        return self._of(column_1).get(column_2, ())

    def codes(self) -> frozenset[str]:
        """Every procedure code that stands in either column."""
        second = {code for lines in self._lines.values() for _, codes in lines for code in codes.split()}
        return frozenset(second.union(self._lines))

    def partners(self, code: str) -> tuple[int, int]:
        """How many edits of any date have the code in column 1, and how many in column 2."""
        first = sum(len(codes.split()) for _, codes in self._lines.get(code, ()))
        second = sum(code in codes.split() for lines in self._lines.values() for _, codes in lines)
        return first, second

    def __len__(self) -> int:
        return sum((len(codes) + 1) // 6 for lines in self._lines.values() for _, codes in lines)

    def _of(self, column_1: str) -> dict[str, tuple[Edit, ...]]:
        found = self._taken_apart.get(column_1, _NO_EDITS)
        if found is None:
            found = self._taken_apart[column_1] = _take_apart(self._lines[column_1])
        return found


def parse_pairs(text: str, source: Path) -> Pairs:
    """The edits of a release."""
    if _WHOLE.fullmatch(text) is None:
        raise _fault(text, source)
    edits: dict[tuple[str, str, str], Edit] = {}
    lines: dict[str, list[tuple[Edit, str]]] = defaultdict(list)
    for number, line in enumerate(text.splitlines(), start=1):
        column_1, indicator, effective, deletion, codes = line.split(" ", 4)
        shared = (indicator, effective, deletion)
        edit = edits.get(shared)
        if edit is None:
            try:
                edit = edits[shared] = _edit(*shared)
            except ValueError:
                raise CodeSetError(source, number, f"{effective} or {deletion} is no date") from None
        lines[column_1].append((edit, codes))
    return Pairs(dict(lines))


def render_pairs(rows: Iterable[tuple[str, str, int, date | None, date | None]]) -> str:
    """The text of a release, of rows of column 1, column 2, indicator, effective and deletion date."""
    lines: dict[tuple[str, int, str, str], set[str]] = defaultdict(set)
    written: dict[date | None, str] = {None: "-"}
    for column_1, column_2, indicator, effective, deletion in rows:
        for day in (effective, deletion):
            if day not in written:
                written[day] = str(day)
        lines[column_1, indicator, written[effective], written[deletion]].add(column_2)
    return "".join(
        f"{column_1} {indicator} {effective} {deletion} {' '.join(sorted(codes))}\n"
        for (column_1, indicator, effective, deletion), codes in sorted(lines.items())
    )


def _edit(indicator: str, effective: str, deletion: str) -> Edit:
    return Edit(
        date.min if effective == "-" else date.fromisoformat(effective),
        date.max if deletion == "-" else date.fromisoformat(deletion),
        int(indicator),
    )


def _take_apart(lines: list[tuple[Edit, str]]) -> dict[str, tuple[Edit, ...]]:
    found: dict[str, tuple[Edit, ...]] = {}
    for edit, codes in lines:
        alone = (edit,)
        for code in codes.split():
            others = found.get(code)
            found[code] = alone if others is None else (*others, edit)
    return found


def _fault(text: str, source: Path) -> CodeSetError:
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if _LINE.fullmatch(line) is None:
            return CodeSetError(
                source, number, "not: column 1, indicator, effective, deletion, codes of column 2"
            )
    return CodeSetError(source, None, "no edit in it")
