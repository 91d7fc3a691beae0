"""The code numbers that exist, for checking what a policy names.

A policy names no diagnosis, so the ICD-10-CM tables, by far the largest, are not read for it: the check is
part of every start of a worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from worker.codes import sets
from worker.codes.catalog import Reader, reader_of
from worker.codes.tables.add_ons import CONTRACTOR_DEFINED
from worker.codes.tables.vocabularies import Validity


class Vocabulary(NamedTuple):
    """Every code number that a policy may name, of any release.

    The reason codes carry their validity: ``vocabulary.carcs["50"].covers(day)``. An unknown procedure is
    one of which no table says anything: the tables cover dermatologic surgery and what is paired with it.
    """

    procedures: frozenset[str]
    modifiers: frozenset[str]
    group_codes: Mapping[str, Validity]
    carcs: Mapping[str, Validity]
    rarcs: Mapping[str, Validity]


def load_vocabulary(directory: Path | None = None) -> Vocabulary:
    """The vocabulary of a code directory, a draft or not, by default of the package's own.

    Raises ``CodeSetError``.
    """
    return vocabulary_by(reader_of(directory, draft=True))


def vocabulary_by(reader: Reader) -> Vocabulary:
    """The same, by a reader."""
    reasons = {key: validity for _, table in reader.releases(sets.REASONS) for key, validity in table.items()}
    return Vocabulary(
        procedures=_procedures(reader),
        modifiers=_codes(reader, sets.MODIFIERS),
        group_codes=_of_kind("group", reasons),
        carcs=_of_kind("carc", reasons),
        rarcs=_of_kind("rarc", reasons),
    )


def _codes(reader: Reader, code_set: sets.CodeSet[Mapping[str, object]]) -> frozenset[str]:
    return frozenset(code for _, table in reader.releases(code_set) for code in table)


def _procedures(reader: Reader) -> frozenset[str]:
    known: set[str] = set(_codes(reader, sets.UNITS))
    for _, pairs in reader.releases(sets.PAIRS):
        known |= pairs.codes()
    for _, edits in reader.releases(sets.ADD_ONS):
        known.update(code for edit in edits for code in (edit.add_on, edit.primary))
    for _, entries in reader.releases(sets.FEE_SCHEDULE):
        known.update(procedure for procedure, _ in entries)
    return frozenset(known - {CONTRACTOR_DEFINED})


def _of_kind(kind: str, reasons: Mapping[tuple[str, str], Validity]) -> dict[str, Validity]:
    return {code: validity for (of, code), validity in reasons.items() if of == kind}
