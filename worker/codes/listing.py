"""The manifest of a code directory: which releases it holds, and what is in each."""

from __future__ import annotations

import shlex
from pathlib import Path

from worker.codes import sets
from worker.codes.errors import CodeManifestError, CodePathError
from worker.codes.releases import PACKAGE_DATA, releases_of
from worker.manifest import MANIFEST, ManifestError, read_listed


def listed_contents(directory: Path) -> dict[str, bytes]:
    """What is in every release below a directory, by its name in the manifest, which must list it.

    Raises ``CodeManifestError``, and ``CodeSetError`` for a folder that holds no releases.
    """
    try:
        return read_listed(directory / MANIFEST, [*_releases(directory)], command_for(directory))
    except ManifestError as error:
        raise CodeManifestError(error.file, None, error.reason) from error


def contents_of(directory: Path) -> dict[str, bytes]:
    """The same, whatever a manifest says."""
    read = {}
    for name, path in _releases(directory).items():
        try:
            read[name] = path.read_bytes()
        except OSError as error:
            raise CodePathError(path, None, f"cannot be read: {error.strerror}") from error
    return read


def command_for(directory: Path) -> str:
    """What a person calls to have the manifest written; the package's own needs no option."""
    options = [] if directory == PACKAGE_DATA else ["--dir", str(directory)]
    return shlex.join(["mms-worker", "codes", "manifest", *options])


def _releases(directory: Path) -> dict[str, Path]:
    return {
        release.path.relative_to(directory).as_posix(): release.path
        for code_set in sets.ALL
        for release in releases_of(code_set, directory)
    }
