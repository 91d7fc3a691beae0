"""The code sets as values: what the pure core asks of them, by date of service.

``worker.codes.catalog`` builds them from files; nothing here reads one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Generic, NamedTuple, Protocol, TypeVar

Table = TypeVar("Table", covariant=True)  # noqa: PLC0105  reads better without the suffix


class Dated(Generic[Table]):
    """The releases of one code set, oldest first.

    In force on a day is the newest release not after it, else the oldest (policy §0, "Code tables").
    """

    def __init__(self, name: str, releases: Sequence[tuple[date, str, Table]]) -> None:
        if not releases:
            raise ValueError(f"code set {name} has no release")
        self.name = name
        self.releases = tuple(sorted(releases, key=lambda release: release[0]))
        self._starts = [start for start, _, _ in self.releases]

    def on(self, day: date) -> tuple[str, Table]:
        """The release in force on ``day``: its name and its table."""
        _, release, table = self.releases[max(0, bisect_right(self._starts, day) - 1)]
        return release, table


class Mue(NamedTuple):
    """Medically unlikely edit: the units limit and the adjudication indicator (1 line, 2 and 3 day)."""

    value: int
    mai: int


class AddOn(NamedTuple):
    """What an add-on code needs: its primaries, and whether their absence may deny it (CMS type 1 only)."""

    primaries: frozenset[str]
    deniable: bool


class PairTable(Protocol):
    """NCCI procedure-to-procedure edits of one release."""

    def indicator(self, column_1: str, column_2: str, day: date) -> int | None:
        """0 (never together) or 1 (a modifier bypasses) when an edit applies on ``day``, else None.

        Of several applying rows the strictest speaks; rows with indicator 9 never apply.
        """

    def second_codes(self, column_1: str) -> Collection[str]:
        """The codes in column 2 of the rows with that code in column 1, whenever they apply."""

    def codes(self) -> frozenset[str]:
        """Every procedure code that stands in either column."""


class Tables(NamedTuple):
    """The tables in force on one day of service."""

    releases: Mapping[str, str]
    """Release in force, by code set: ``icd10cm``, ``ncci-ptp``, ``ncci-mue``, ``ncci-aoc``, …"""
    icd10cm: Mapping[str, bool]
    """Every code of the release: billable, or a header that may not be billed."""
    policy_diagnoses: Mapping[str, frozenset[str]]
    """The policy's diagnoses: code to the set of sites that it leaves possible."""
    implied_facts: Mapping[str, str]
    """Supporting secondary diagnoses: code to ``immunosuppressed`` or ``irradiated``."""
    pairs: PairTable
    mue: Mapping[str, Mue]
    add_ons: Mapping[str, AddOn]
    bypass_modifiers: frozenset[str]
    """NCCI-associated modifiers, the E/M-only ones (24, 25, 57) included."""


class CodeSets:
    """All code sets with all their releases."""

    def __init__(  # noqa: PLR0913  one argument a code set
        self,
        *,
        icd10cm: Dated[Mapping[str, bool]],
        policy_diagnoses: Dated[Mapping[str, frozenset[str]]],
        implied_facts: Dated[Mapping[str, str]],
        pairs: Dated[PairTable],
        mue: Dated[Mapping[str, Mue]],
        add_ons: Dated[Mapping[str, AddOn]],
        bypass_modifiers: Dated[frozenset[str]],
        digest: str,
    ) -> None:
        self._sets: tuple[Dated[object], ...] = (
            icd10cm, policy_diagnoses, implied_facts, pairs, mue, add_ons, bypass_modifiers,
        )  # fmt: skip
        self.digest = digest
        """``sha256:`` of the contents of every file that was read."""
        self._by_day: dict[date, Tables] = {}
        self._by_tables: dict[tuple[int, ...], Tables] = {}

    def on(self, day: date) -> Tables:
        """The tables in force on ``day``: the same object for all days with the same releases."""
        tables = self._by_day.get(day)
        if tables is None:
            tables = self._in_force(day)
            if len(self._by_day) >= 1 << 14:  # a memo, not state: forgetting it changes nothing
                self._by_day.clear()
            self._by_day[day] = tables
        return tables

    def _in_force(self, day: date) -> Tables:
        in_force = [dated.on(day) for dated in self._sets]
        # By identity, not by release: a release whose rows change on a day has a table for each side of it.
        key = tuple(id(table) for _, table in in_force)
        if key not in self._by_tables:
            pairs = zip(self._sets, in_force, strict=True)
            names = {dated.name: release for dated, (release, _) in pairs}
            self._by_tables[key] = Tables(names, *(table for _, table in in_force))  # type: ignore[arg-type]
        return self._by_tables[key]

    @property
    def sets(self) -> tuple[Dated[object], ...]:
        """Every dated code set, for listings."""
        return self._sets
