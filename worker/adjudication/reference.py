"""The reference data that claims are decided by, with what follows from it made once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from hashlib import sha256

import orjson

from worker.adjudication.codesets import CodeSets, Tables
from worker.adjudication.held import NO_EVENTS
from worker.adjudication.policy import Policies
from worker.adjudication.result import Basis, basis_of
from worker.adjudication.rulebook import Rulebook, in_force, rulebook_documents

ENGINE = "0.2.0"
"""Version of the decision rules and of the result's encoding; raised when a result byte can change."""


class Reference:
    """What claims are decided by: policies and code sets, with what follows from them made once."""

    def __init__(self, policies: Policies, code_sets: CodeSets) -> None:
        self.policies = policies
        self.code_sets = code_sets
        self.digest = digest_of(ENGINE, policies.digest, code_sets.digest)
        """Digest of the rules, the policies and the code sets: equal digests decide alike."""
        self._by_day: dict[tuple[str, date], Rulebook] = {}
        self._by_versions: dict[tuple[object, ...], Rulebook] = {}
        self._bases: dict[tuple[tuple[Rulebook, int], ...], Basis] = {}

    def rulebook(self, payer_id: str, day: date) -> Rulebook:
        """The policies in force for a payer on a day of service."""
        necessity = self.policies.necessity_id(payer_id)
        key = (necessity, day)
        book = self._by_day.get(key)
        if book is None:
            book = self._rulebook(necessity, day)
            if len(self._by_day) >= 1 << 14:
                self._by_day.clear()
            self._by_day[key] = book
        return book

    def _rulebook(self, necessity: str, day: date) -> Rulebook:
        """One rulebook for all days with the same versions, so that what it remembers serves them all."""
        documents = rulebook_documents(self.policies, necessity)
        versions, absent = found = in_force(documents, day)
        key = (necessity, tuple(version.version for version in versions), absent)
        book = self._by_versions.get(key)
        if book is None:
            book = self._by_versions[key] = Rulebook(documents, found)
        return book

    def basis(self, in_force: Sequence[tuple[Rulebook, Tables]], history_digest: str = NO_EVENTS) -> Basis:
        """What a claim is decided by, from what is in force on each of its days.

        Several versions or releases of a thing are joined by a plus. A void is decided by nothing in force.
        """
        key = tuple([(book, id(tables)) for book, tables in in_force])
        basis = self._bases.get(key)
        if basis is None:
            basis = basis_of(
                ENGINE,
                _joined(book.versions for book, _ in in_force),
                _joined(tables.releases for _, tables in in_force),
                self.digest,
                NO_EVENTS,
            )
            if len(self._bases) >= 1 << 14:
                self._bases.clear()
            self._bases[key] = basis
        return basis if history_digest == NO_EVENTS else basis.with_history(history_digest)


def digest_of(engine: str, policies_digest: str, code_sets_digest: str) -> str:
    """``basis.digest``: that of the rules' version, the policies and the code sets together."""
    return "sha256:" + sha256(orjson.dumps([engine, policies_digest, code_sets_digest])).hexdigest()


def _joined(maps: Iterable[Mapping[str, str]]) -> Mapping[str, str]:
    """One map of several, the different values of a key joined in order."""
    found: dict[str, dict[str, None]] = {}
    for one in maps:
        for key, value in one.items():
            found.setdefault(key, {})[value] = None
    return {key: "+".join(sorted(found[key])) for key in sorted(found)}
