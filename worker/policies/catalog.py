"""The only reader of the policy files.

``load`` gives the policies that a worker decides by, and refuses files that do not check. ``check`` says all
that is wrong with files, codes against a vocabulary included, for a policy's author.
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
from worker.policies.errors import Fault, PolicyError
from worker.policies.form import Misfit, Payers, document_of, payers_of
from worker.policies.rules import OWNERS

__all__ = ["Fault", "PolicyError", "check", "load"]

PACKAGE_POLICIES = Path(__file__).parent
"""The policies that come with the package."""
PAYERS = "payers.toml"


def load(directory: Path | None = None, payers: Path | None = None) -> Policies:
    """The policies of a directory, by default the package's own, and which payer uses which.

    ``payers`` stands in for the directory's own ``payers.toml``. Raises ``PolicyError`` with every fault of
    form and of consistency; ``check`` looks codes up too.
    """
    reading = _Reading(directory or PACKAGE_POLICIES, payers)
    if reading.faults or reading.payers is None:
        raise PolicyError(reading.faults)
    return Policies(
        documents=reading.documents,
        necessity_by_payer=reading.payers.necessity,
        default_necessity=reading.payers.default,
        digest=f"sha256:{reading.digest.hexdigest()}",
    )


def check(
    directory: Path | None = None, payers: Path | None = None, vocabulary: Vocabulary | None = None
) -> list[Fault]:
    """Everything that is wrong with a directory's policies, file by file; with a vocabulary codes too."""
    reading = _Reading(directory or PACKAGE_POLICIES, payers)
    if vocabulary is not None:
        for name, document in reading.documents.items():
            reading.note(reading.directory / f"{name}.toml", misfits_of_codes(document, vocabulary))
    return sorted(reading.faults, key=lambda fault: fault.file)


class _Reading:
    """One pass over a directory: what was read, what is wrong with it, and the digest of its contents."""

    def __init__(self, directory: Path, payers: Path | None) -> None:
        self.directory = directory
        self.documents: dict[str, Document] = {}
        """By the name of the file, which is the id of what has no fault."""
        self.payers: Payers | None = None
        self.faults: list[Fault] = []
        self.digest = hashlib.sha256()
        if directory.is_dir():
            self._read_documents()
            self._read_payers(payers or directory / PAYERS)
        else:
            self.note(directory, [Misfit("", "there is no such directory of policies")])

    def note(self, file: Path, misfits: Iterable[Misfit]) -> None:
        """Keep what is wrong with a file."""
        self.faults += [Fault(file, key, reason) for key, reason in misfits]

    def _read_documents(self) -> None:
        files = sorted(path for path in self.directory.glob("*.toml") if path.name != PAYERS)
        for path in files:
            parsed = self._parsed(path)
            if parsed is not None:
                self._take(path, document_of(parsed))
        for owner in OWNERS.values():
            if self.directory / f"{owner}.toml" not in files:
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
            content = path.read_bytes()
            self.digest.update(len(content).to_bytes(8) + content)
            return tomllib.loads(content.decode())
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        except UnicodeDecodeError as error:
            reason = f"not UTF-8 at byte {error.start}"
        except tomllib.TOMLDecodeError as error:
            reason = f"not TOML: {error}"
        self.note(path, [Misfit("", reason)])
        return None
