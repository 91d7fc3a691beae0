"""The files of a directory of policies, each read once: as they lie, or only as their manifests list them."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from worker.manifest import MANIFEST, SUFFIX, ManifestError, manifest_of, read_listed
from worker.policies.errors import Fault, PolicyManifestError

PACKAGE_POLICIES = Path(__file__).parent
"""The policies that come with the package."""
PAYERS = "payers.toml"


class PolicyFiles(NamedTuple):
    """What was read, or why it could not be."""

    directory: Path
    documents: list[Path]
    payers: Path
    contents: Mapping[Path, bytes | OSError]
    """Of every document and of the payers."""


def read_files(directory: Path, payers: Path | None, *, listed: Collection[Path]) -> PolicyFiles:
    """Read a directory's policies and its ``payers.toml``, or the file that stands in for it.

    The directory, or the file of payers, that is among ``listed`` must be as its manifest says: a directory's
    is ``SHA256SUMS``, that of a file alone lies beside it and is named ``FILE.sha256``. Raises
    PolicyManifestError.
    """
    documents = sorted(path for path in directory.glob("*.toml") if path.name != PAYERS)
    contents: dict[Path, bytes | OSError] = {}
    if directory in listed and directory.is_dir():
        contents.update(_listed(directory / MANIFEST, _names(directory, documents), command_for(directory)))
    if payers is not None and payers in listed and payers not in contents and os.path.lexists(payers):
        contents.update(_listed(_beside(payers), [payers.name], command_for(payers=payers)))
    if directory not in listed:
        contents.update({path: _unless_unreadable(path) for path in documents})
    deciding = payers or directory / PAYERS
    if deciding not in contents:
        trusted = (payers or directory) in listed  # then what is not listed is not there
        contents[deciding] = _absent() if trusted else _unless_unreadable(deciding)
    return PolicyFiles(directory, documents, deciding, contents)


def manifests_of(files: PolicyFiles, *, listed: Collection[Path]) -> dict[Path, bytes]:
    """The manifests by which the directory, or the file of payers, that is among ``listed`` can be read.

    Raises PolicyManifestError for a file that cannot be listed.
    """
    manifests = {}
    if files.directory in listed:
        own = files.directory / PAYERS  # listed too where another stands in for it
        inside = [*files.documents, *([own] if os.path.lexists(own) else [])]
        manifests[files.directory / MANIFEST] = _manifest(files, inside)
    if files.payers in listed:
        manifests[_beside(files.payers)] = _manifest(files, [files.payers])
    return manifests


def command_for(directory: Path | None = None, payers: Path | None = None) -> str:
    """What a person calls to have the manifest written; the package's own needs no option."""
    options = []
    if directory is not None and directory != PACKAGE_POLICIES:
        options += ["--dir", str(directory)]
    if payers is not None:
        options += ["--payers", str(payers)]
    return shlex.join(["mms-worker", "policy", "manifest", *options])


def _manifest(files: PolicyFiles, listed: Collection[Path]) -> bytes:
    named: dict[str, bytes] = {}
    for path in listed:
        content = files.contents[path] if path in files.contents else _unless_unreadable(path)
        if isinstance(content, OSError):
            raise PolicyManifestError([Fault(path, "", f"cannot be read: {content.strerror}")])
        named[path.name] = content
    try:
        return manifest_of(named)
    except ManifestError as error:
        raise PolicyManifestError([Fault(error.file, "", error.reason)]) from error


def _listed(manifest: Path, names: Collection[str], command: str) -> dict[Path, bytes]:
    try:
        contents = read_listed(manifest, names, command)
    except ManifestError as error:
        raise PolicyManifestError([Fault(error.file, "", error.reason)]) from error
    return {manifest.parent / name: content for name, content in contents.items()}


def _names(directory: Path, documents: Collection[Path]) -> list[str]:
    own = directory / PAYERS
    return [path.name for path in (*documents, *([own] if os.path.lexists(own) else []))]


def _beside(file: Path) -> Path:
    return file.with_name(file.name + SUFFIX)


def _absent() -> OSError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _unless_unreadable(path: Path) -> bytes | OSError:
    try:
        return path.read_bytes()
    except OSError as error:
        return error
