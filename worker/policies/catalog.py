"""The policies in their files.

``load`` gives the policies that a worker decides by, and refuses files that do not check, or are not as their
manifest lists them. ``check`` says all that is wrong with files, codes against a vocabulary included, for a
policy's author; ``manifests`` makes what lists them.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from worker.adjudication.policy import Document, Policies
from worker.policies.checks import misfits_of, misfits_of_payers
from worker.policies.code_checks import Vocabulary, misfits_of_codes
from worker.policies.errors import Fault, PolicyError, PolicyManifestError
from worker.policies.files import (
    PACKAGE_POLICIES,
    PAYERS,
    PolicyFiles,
    manifests_of,
    read_files,
)
from worker.policies.form import Misfit, Payers, document_of, payers_of
from worker.policies.rules import OWNERS

__all__ = ["PACKAGE_POLICIES", "PAYERS", "Fault", "PolicyError", "check", "load", "manifests", "unlisted"]


def load(
    directory: Path | None = None,
    payers: Path | None = None,
    vocabulary: Vocabulary | None = None,
    *,
    draft: bool = False,
) -> Policies:
    """The policies of a directory, by default the package's own, and which payer uses which.

    ``payers`` stands in for the directory's own ``payers.toml``. What is a ``draft`` needs no manifest; the
    package's own files are none. Raises ``PolicyManifestError`` where a file is not as its manifest lists it,
    and ``PolicyError`` with every fault of form and of consistency, with a vocabulary of codes too.
    """
    target = directory or PACKAGE_POLICIES
    given = {one for one in (directory, payers) if one is not None}
    listed = {target, *given} - (given if draft else set())
    reading = _Reading(read_files(target, payers, listed=listed), vocabulary)
    if reading.faults or reading.payers is None:
        raise PolicyError(sorted(reading.faults, key=lambda fault: fault.file))
    return Policies(
        documents=reading.documents,
        necessity_by_payer=reading.payers.necessity,
        default_necessity=reading.payers.default,
        digest=f"sha256:{reading.digest.hexdigest()}",
    )


def check(
    directory: Path | None = None, payers: Path | None = None, vocabulary: Vocabulary | None = None
) -> list[Fault]:
    """Everything that is wrong with a directory's policies, file by file; with a vocabulary codes too.

    It looks at no manifest: ``unlisted`` does.
    """
    reading = _Reading(read_files(directory or PACKAGE_POLICIES, payers, listed=()), vocabulary)
    return sorted(reading.faults, key=lambda fault: fault.file)


def unlisted(directory: Path | None = None, payers: Path | None = None) -> Fault | None:
    """The first file that is not as its manifest lists it, whatever is in it."""
    target = directory or PACKAGE_POLICIES
    try:
        read_files(target, payers, listed={one for one in (target, payers) if one is not None})
    except PolicyManifestError as error:
        return error.faults[0]
    return None


def manifests(
    directory: Path | None = None, payers: Path | None = None, vocabulary: Vocabulary | None = None
) -> dict[Path, bytes]:
    """The manifests of files that check: of the directory, and of a file of payers that stands in.

    With ``payers`` alone the directory is the package's, and nothing but the payers is listed anew. Raises
    ``PolicyError`` when something does not check.
    """
    target = directory or PACKAGE_POLICIES
    meant = {one for one in (directory, payers) if one is not None} or {target}
    files = read_files(target, payers, listed={target} - meant)
    reading = _Reading(files, vocabulary)
    if reading.faults:
        raise PolicyError(sorted(reading.faults, key=lambda fault: fault.file))
    return manifests_of(files, listed=meant)


class _Reading:
    """What files say, what is wrong with it, and the digest of their contents."""

    def __init__(self, files: PolicyFiles, vocabulary: Vocabulary | None) -> None:
        self._files = files
        self.directory = files.directory
        self.documents: dict[str, Document] = {}
        """By the name of the file, which is the id of what has no fault."""
        self.payers: Payers | None = None
        self.faults: list[Fault] = []
        self.digest = hashlib.sha256()
        if files.directory.is_dir():
            self._read_documents()
            self._read_payers(files.payers)
        else:
            self.note(files.directory, [Misfit("", "there is no such directory of policies")])
        if vocabulary is not None:
            for name, document in self.documents.items():
                self.note(self.directory / f"{name}.toml", misfits_of_codes(document, vocabulary))

    def note(self, file: Path, misfits: Iterable[Misfit]) -> None:
        """Keep what is wrong with a file."""
        self.faults += [Fault(file, key, reason) for key, reason in misfits]

    def _read_documents(self) -> None:
        for path in self._files.documents:
            parsed = self._parsed(path)
            if parsed is not None:
                self._take(path, document_of(parsed))
        for owner in OWNERS.values():
            if self.directory / f"{owner}.toml" not in self._files.documents:
                self.note(self.directory, [Misfit("", f"{owner}.toml is missing, and the engine needs it")])

    def _take(self, path: Path, document: Document | list[Misfit]) -> None:
        if isinstance(document, list):
            self.note(path, document)
        else:
            self.documents[path.stem] = document
            self.note(path, misfits_of(document, path.stem))

    def _read_payers(self, path: Path) -> None:
        parsed = self._parsed(path)
        if parsed is None:
            return
        payers = payers_of(parsed)
        if isinstance(payers, list):
            self.note(path, payers)
        else:
            self.payers = payers
            unread = {fault.file.stem for fault in self.faults} - self.documents.keys()
            self.note(path, misfits_of_payers(payers, self.documents, unread))

    def _parsed(self, path: Path) -> dict[str, Any] | None:
        """The tables of a file, or None when it cannot be read; a fault is kept."""
        try:
            content = self._files.contents[path]
            if isinstance(content, OSError):
                raise content
            self.digest.update(len(content).to_bytes(8) + content)
            return tomllib.loads(content.decode())
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        except UnicodeDecodeError as error:
            reason = f"not UTF-8 at byte {error.start}"
        except tomllib.TOMLDecodeError as error:
            reason = f"not TOML: {error}"
        except RecursionError:
            reason = "nested too deep"
        except ValueError:  # which tomllib lets through where int has a limit
            reason = "a number in it has too many digits"
        self.note(path, [Misfit("", reason)])
        return None
