"""What every table says of one code on one date of service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple, TypeVar

from worker.codes import sets
from worker.codes.catalog import Reader, reader_of
from worker.codes.releases import Release

Table = TypeVar("Table")


class Statement(NamedTuple):
    """One thing that one release says of a code."""

    code_set: str
    release: str
    says: str


def look_up(code: str, day: date, directory: Path | None = None) -> list[Statement]:
    """Everything that the releases in force on ``day`` say of a code; empty when no table knows it.

    Raises ``CodeSetError`` when a file does not check.
    """
    reader = reader_of(directory, draft=True)
    return [
        *_of_diagnosis(reader, code, day),
        *_of_procedure(reader, code, day),
        *_of_others(reader, code, day),
    ]


def _of_diagnosis(reader: Reader, code: str, day: date) -> Iterator[Statement]:
    release, codes = _in_force(reader, sets.ICD10CM, day)
    if code in codes:
        yield _statement(release, "billable" if codes[code] else "a header: not billable")
    release, groups = _in_force(reader, sets.SITE_GROUPS, day)
    release, listed = _in_force(reader, sets.DIAGNOSES, day)
    for diagnosis in listed:
        if diagnosis.code == code:
            sites = " ".join(sorted(groups[diagnosis.site_group]))
            laterality = f", {diagnosis.laterality}" if diagnosis.laterality else ""
            yield _statement(release, f"on the policy's list: {diagnosis.site_group}{laterality} ({sites})")
    release, gaps = _in_force(reader, sets.GAPS, day)
    if code in gaps:
        yield _statement(release, "a skin malignancy that the policy's list lacks")
    release, supporting = _in_force(reader, sets.SUPPORTING, day)
    if code in supporting:
        yield _statement(release, f"supporting secondary diagnosis: {supporting[code]}")


def _of_procedure(reader: Reader, code: str, day: date) -> Iterator[Statement]:
    release, pairs = _in_force(reader, sets.PAIRS, day)
    first, second = pairs.partners(code)
    if first or second:
        yield _statement(release, f"in column 1 of {first} edits and in column 2 of {second}")
    release, units = _in_force(reader, sets.UNITS, day)
    if code in units:
        yield _statement(
            release, f"at most {units[code].value} units, adjudication indicator {units[code].mai}"
        )
    release, edits = _in_force(reader, sets.ADD_ONS, day)
    primaries = [edit for edit in edits if edit.add_on == code and edit.applies(day)]
    if primaries:
        types = "/".join(sorted({str(edit.type) for edit in primaries}))
        named = " ".join(sorted({edit.primary for edit in primaries}))
        yield _statement(release, f"add-on (type {types}) to {named}")
    add_ons = sorted({edit.add_on for edit in edits if edit.primary == code and edit.applies(day)})
    if add_ons:
        yield _statement(release, f"primary of {' '.join(add_ons)}")
    release, entries = _in_force(reader, sets.FEE_SCHEDULE, day)
    for (procedure, modifier), entry in entries.items():
        if procedure == code:
            component = f" with {modifier}" if modifier else ""
            yield _statement(
                release,
                f"status {entry.status}{component}, global days {entry.global_days}, PC/TC {entry.pctc}",
            )


def _of_others(reader: Reader, code: str, day: date) -> Iterator[Statement]:
    release, bypassing = _in_force(reader, sets.BYPASS_MODIFIERS, day)
    if code in bypassing:
        yield _statement(release, "modifier that bypasses an edit with indicator 1")
    release, modifiers = _in_force(reader, sets.MODIFIERS, day)
    if code in modifiers:
        yield _statement(release, f"{modifiers[code]} modifier")
    release, places = _in_force(reader, sets.PLACES, day)
    if code in places:
        yield _statement(release, f"place of service, {places[code]}")
    release, reasons = _in_force(reader, sets.REASONS, day)
    for (kind, number), validity in reasons.items():
        if number == code:
            state = "valid" if validity.covers(day) else "not valid"
            yield _statement(release, f"{kind}, {state} on {day}")


def _in_force(reader: Reader, code_set: sets.CodeSet[Table], day: date) -> tuple[Release, Table]:
    """The newest release not after the day, else the oldest."""
    read = reader.releases(code_set)
    return next((one for one in reversed(read) if one[0].effective <= day), read[0])


def _statement(release: Release, says: str) -> Statement:
    return Statement(release.code_set, release.name, says)
