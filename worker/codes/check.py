"""Checks a code directory as a whole: every file, and what the files say of each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

from worker.codes import sets
from worker.codes.catalog import Reader, load_by
from worker.codes.errors import CodeManifestError, CodePathError, CodeSetError
from worker.codes.listing import contents_of, listed_contents
from worker.codes.releases import PACKAGE_DATA, Release
from worker.codes.tables.add_ons import CONTRACTOR_DEFINED, AddOnEdit

Table = TypeVar("Table")


class Remark(NamedTuple):
    """One thing that a check found: a fault, or something that people should know."""

    fault: bool
    file: Path
    line: int | None
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else str(self.file)
        return f"{place}: {self.text}"


def check(directory: Path | None = None) -> list[Remark]:
    """Every fault and note of a code directory, by default of the package's own.

    The first file that does not check is the only remark, since the others cannot be held against it; one
    that is not as the manifest lists it is a note. Raises ``CodePathError`` when the directory or a file of
    it cannot be read.
    """
    target = directory or PACKAGE_DATA
    try:
        reader = Reader(target, contents_of(target))
        load_by(reader)
        for code_set in sets.ALL:
            reader.releases(code_set)
    except CodePathError:
        raise
    except CodeSetError as error:
        return [Remark(True, error.file, error.line, error.reason)]
    return [
        *_shrunken(reader),
        *_policy_diagnoses(reader),
        *_gaps(reader),
        *_supporting(reader),
        *_pairs(reader),
        *_add_ons(reader),
        *_bypass_modifiers(reader),
        *_unlisted(target),
    ]


def _unlisted(directory: Path) -> Iterator[Remark]:
    """A draft may be so, but no worker starts on it."""
    try:
        listed_contents(directory)
    except CodeManifestError as error:
        yield Remark(False, error.file, None, f"no worker starts on it: {error.reason}")


def _shrunken(reader: Reader) -> Iterator[Remark]:
    """A release with less than half the rows of the one before is an excerpt, or half a download."""
    for code_set in sets.ALL:
        read = reader.releases(code_set)
        for (before, old), (after, new) in pairwise(read):
            if 2 * len(new) < len(old):
                text = f"{len(new)} rows, where {before.name} has {len(old)}: is it an excerpt?"
                yield Remark(True, after.path, None, text)


def _policy_diagnoses(reader: Reader) -> Iterator[Remark]:
    """Every policy diagnosis is a code; one that may not be billed is known, and its claims are denied."""
    icd10cm = reader.releases(sets.ICD10CM)
    for release, listed in reader.releases(sets.DIAGNOSES):
        for line, diagnosis in enumerate(listed, start=2):
            yield from _known_code(diagnosis.code, release, line, icd10cm)
            headers = [of.name for of, codes in icd10cm if codes.get(diagnosis.code) is False]
            if headers:
                text = f"{diagnosis.code} is a header in {', '.join(headers)}: claims with it are denied"
                yield Remark(False, release.path, line, f"known gap: {text}")


def _gaps(reader: Reader) -> Iterator[Remark]:
    """A gap is a billable code that the list indeed lacks; it is reported and not added."""
    icd10cm = reader.releases(sets.ICD10CM)
    listed = {one.code for _, diagnoses in reader.releases(sets.DIAGNOSES) for one in diagnoses}
    for release, gaps in reader.releases(sets.GAPS):
        for line, code in enumerate(gaps, start=2):
            yield from _known_code(code, release, line, icd10cm)
            if code in listed:
                yield Remark(True, release.path, line, f"{code} is on the policy's list: no gap")
            elif all(codes.get(code) is False for _, codes in icd10cm):
                yield Remark(True, release.path, line, f"{code} is billable in no release: no gap")
            else:
                yield Remark(False, release.path, line, f"known gap: {code} is not on the policy's list")


def _supporting(reader: Reader) -> Iterator[Remark]:
    icd10cm = reader.releases(sets.ICD10CM)
    for release, supporting in reader.releases(sets.SUPPORTING):
        for line, code in enumerate(supporting, start=2):
            yield from _known_code(code, release, line, icd10cm)


def _known_code(
    code: str, release: Release, line: int, icd10cm: list[tuple[Release, dict[str, bool]]]
) -> Iterator[Remark]:
    """A code of no ICD-10-CM release is a fault; of some releases only, a note."""
    lacking = [of.name for of, codes in icd10cm if code not in codes]
    if lacking:
        text = f"{code} is no ICD-10-CM code in {', '.join(lacking)}"
        yield Remark(len(lacking) == len(icd10cm), release.path, line, text)


def _pairs(reader: Reader) -> Iterator[Remark]:
    for release, pairs in reader.releases(sets.PAIRS):
        yield from (
            Remark(True, release.path, None, f"{code} is paired with itself")
            for code in sorted(pairs.codes())
            if pairs.edits(code, code)
        )


def _add_ons(reader: Reader) -> Iterator[Remark]:
    for release, edits in reader.releases(sets.ADD_ONS):
        for line, edit in enumerate(edits, start=2):
            reason = _malformed(edit)
            if reason is not None:
                yield Remark(True, release.path, line, reason)


def _malformed(edit: AddOnEdit) -> str | None:
    if edit.add_on == edit.primary:
        return f"{edit.add_on} is its own primary"
    if edit.type == 1 and edit.primary == CONTRACTOR_DEFINED:
        return f"{edit.add_on} is of type 1, which names every primary, but has {CONTRACTOR_DEFINED}"
    return None


def _bypass_modifiers(reader: Reader) -> Iterator[Remark]:
    known = {modifier for _, modifiers in reader.releases(sets.MODIFIERS) for modifier in modifiers}
    for release, bypassing in reader.releases(sets.BYPASS_MODIFIERS):
        for modifier in sorted(bypassing - known):
            yield Remark(True, release.path, None, f"{modifier} is no CPT or HCPCS modifier")
