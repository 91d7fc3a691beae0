"""ICD-10-CM, one release: every code, a line each, ``B`` when it may be billed and ``H`` for a header.

::

    C4A.11 H
    C4A.111 B

Sorted, in published form. Read with one regular expression over the whole text: some 98,000 codes a
release must not be felt at the start of a worker.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from worker.codes.errors import CodeSetError
from worker.codes.tables.rows import DIAGNOSIS

SUFFIX = ".txt"

_LINE = re.compile(rf"{DIAGNOSIS.pattern} [BH]\n")
_WHOLE = re.compile(rf"(?:{_LINE.pattern})++")


def parse_icd10cm(text: str, source: Path) -> dict[str, bool]:
    """Every code of the release, and whether it may be billed."""
    if _WHOLE.fullmatch(text) is None:
        raise _fault(text, source)
    words = text.split()
    codes = words[::2]
    table = dict(zip(codes, map("B".__eq__, words[1::2]), strict=True))
    if len(table) != len(codes) or codes != sorted(codes):
        line = next(n for n in range(1, len(codes)) if codes[n] <= codes[n - 1]) + 1
        raise CodeSetError(source, line, f"{codes[line - 1]} does not come after {codes[line - 2]}")
    return table


def render_icd10cm(codes: Mapping[str, bool]) -> str:
    """The text of a release; ``parse_icd10cm`` reads it back."""
    return "".join(f"{code} {'B' if codes[code] else 'H'}\n" for code in sorted(codes))


def _fault(text: str, source: Path) -> CodeSetError:
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if _LINE.fullmatch(line) is None:
            return CodeSetError(source, number, "not a code in published form, a space, and B or H")
    return CodeSetError(source, None, "no code in it")
