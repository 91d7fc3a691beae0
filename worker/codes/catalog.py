"""The only reader of the code-set files.

``load`` gives the sets that decide, as the pure core asks for them; ``worker.codes.vocabulary`` reads by the
same ``Reader`` what only a policy's author needs. A file that does not check, or is not as the manifest lists
it, raises ``CodeSetError``, so a worker never starts on half a table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from worker.adjudication.codesets import AddOn, CodeSets, Dated, PairTable
from worker.codes import sets
from worker.codes.errors import CodePathError, CodeSetError
from worker.codes.listing import contents_of, listed_contents
from worker.codes.releases import PACKAGE_DATA, Release, releases_of
from worker.codes.tables.add_ons import tables_by_day
from worker.codes.tables.diagnoses import implied_facts, possible_sites
from worker.manifest import MANIFEST, manifest_of

Table = TypeVar("Table")


def load(directory: Path | None = None, *, draft: bool = False) -> CodeSets:
    """Every code set that decides, with all its releases.

    ``directory`` holds one folder a code set; by default it is the package's own data. Raises
    ``CodeSetError`` with file, line and reason when anything in it does not check, ``CodePathError`` (which
    is one) when it is not there, cannot be read, or is not as its manifest lists it.
    """
    return load_by(reader_of(directory, draft=draft))


def reader_of(directory: Path | None = None, *, draft: bool = False) -> Reader:
    """Reads a code directory, by default the package's own, as its manifest lists it.

    A directory that is a ``draft`` needs no manifest; the package's own is none. Raises ``CodeManifestError``
    for any file of it that is not as listed.
    """
    if draft and directory is not None:
        return Reader(directory)
    target = directory or PACKAGE_DATA
    return Reader(target, listed_contents(target))


def manifests(directory: Path | None = None) -> dict[Path, bytes]:
    """The manifest of a code directory, by default of the package's own, whose files can all be parsed.

    Raises ``CodeSetError``.
    """
    target = directory or PACKAGE_DATA
    contents = contents_of(target)
    reader = Reader(target, contents)
    for code_set in sets.ALL:
        reader.releases(code_set)
    return {target / MANIFEST: manifest_of(contents)}


def load_by(reader: Reader) -> CodeSets:
    """The same as ``load``, by a reader that has read nothing yet."""
    return CodeSets(
        icd10cm=_dated("icd10cm", reader.releases(sets.ICD10CM)),
        policy_diagnoses=_policy_diagnoses(reader),
        implied_facts=_implied_facts(reader),
        pairs=_pairs(reader),
        mue=_dated("ncci-mue", reader.releases(sets.UNITS)),
        add_ons=_add_ons(reader),
        bypass_modifiers=_dated("ncci-modifiers", reader.releases(sets.BYPASS_MODIFIERS)),
        digest=reader.digest(),
    )


class Reader:
    """Reads releases below one directory, each once, and keeps the digest of all that it has read.

    ``contents``, by the names of the files in the directory, are read instead of the files when they are
    given.
    """

    def __init__(self, directory: Path, contents: Mapping[str, bytes] | None = None) -> None:
        self.directory = directory
        self._contents = contents
        self._tables: dict[str, list[tuple[Release, Any]]] = {}
        self._read = hashlib.sha256()

    def digest(self) -> str:
        """``sha256:`` over the name and content of every file read so far, in the order of reading."""
        return f"sha256:{self._read.hexdigest()}"

    def releases(self, code_set: sets.CodeSet[Table]) -> list[tuple[Release, Table]]:
        """Every release of a code set with its table, oldest first."""
        tables = self._tables.get(code_set.name)
        if tables is None:
            found = self._found(code_set)
            tables = [(release, code_set.parse(self._text(release), release.path)) for release in found]
            self._tables[code_set.name] = tables
        return tables

    def _found(self, code_set: sets.CodeSet[Table]) -> list[Release]:
        """The releases of a code set, which are those whose contents were given."""
        found = releases_of(code_set, self.directory)
        if self._contents is not None:
            given = {name for name in self._contents if name.startswith(f"{code_set.name}/")}
            if given != {_name(release) for release in found}:
                folder = self.directory / code_set.name
                raise CodePathError(folder, None, "its files changed while they were read: try again")
        return found

    def _text(self, release: Release) -> str:
        name = _name(release)
        content = self._content(name, release.path)
        self._read.update(f"{name}\0{len(content)}\0".encode())
        self._read.update(content)
        try:
            return content.decode("ascii")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise CodeSetError(release.path, line, "a byte that is not ASCII") from None

    def _content(self, name: str, path: Path) -> bytes:
        if self._contents is not None:
            return self._contents[name]
        try:
            return path.read_bytes()
        except OSError as error:
            raise CodePathError(path, None, f"cannot be read: {error.strerror}") from error


def _name(release: Release) -> str:
    """Of its file in the directory."""
    return f"{release.code_set}/{release.path.name}"


def _dated(name: str, read: list[tuple[Release, Table]]) -> Dated[Table]:
    return Dated(name, [(release.effective, release.name, table) for release, table in read])


def _policy_diagnoses(reader: Reader) -> Dated[Mapping[str, frozenset[str]]]:
    """The policy's list joined with the site groups of the same release."""
    groups = {
        (release.effective, release.name): table for release, table in reader.releases(sets.SITE_GROUPS)
    }
    joined = []
    for release, listed in reader.releases(sets.DIAGNOSES):
        sites = groups.get((release.effective, release.name))
        if sites is None:
            raise CodeSetError(release.path, None, "mms-site-groups has no release of this date and name")
        unknown = next((one for one in listed if one.site_group not in sites), None)
        if unknown is not None:
            reason = f"{unknown.code} is of site group {unknown.site_group!r}, which mms-site-groups lacks"
            raise CodeSetError(release.path, listed.index(unknown) + 2, reason)
        joined.append((release.effective, release.name, possible_sites(listed, sites)))
    return Dated("mms-diagnoses", joined)


def _implied_facts(reader: Reader) -> Dated[Mapping[str, str]]:
    read = reader.releases(sets.SUPPORTING)
    return _dated("mms-implied-facts", [(release, implied_facts(table)) for release, table in read])


def _pairs(reader: Reader) -> Dated[PairTable]:
    return _dated("ncci-ptp", reader.releases(sets.PAIRS))


def _add_ons(reader: Reader) -> Dated[Mapping[str, AddOn]]:
    """Add-on edits; a release whose rows come into force or end later counts as several tables."""
    read = reader.releases(sets.ADD_ONS)
    following = [release.effective for release, _ in read[1:]]
    tables = []
    for (release, rows), until in zip(read, [*following, None], strict=True):
        for day, table in tables_by_day(rows, release.effective):
            if until is None or day < until:
                tables.append((day, release.name, table))
    return Dated("ncci-aoc", tables)
