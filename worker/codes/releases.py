"""Where the releases of a code set lie: ``DIR/<set>/<effective date>_<release>.<csv|txt>``.

Releases lie beside each other and are never rewritten; the name of a file says from which date of service
it is in force. A new release is a new file, so the history of the rules is the history of the directory.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from worker.codes.errors import CodePathError, CodeSetError
from worker.codes.sets import CodeSet

PACKAGE_DATA = Path(__file__).parent / "data"
"""The code sets that come with the package."""

_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})_([0-9A-Za-z][0-9A-Za-z.-]*)")


class Release(NamedTuple):
    """One release of one code set."""

    code_set: str
    effective: date
    """First date of service on which it is in force."""
    name: str
    """The publisher's name of it, such as ``2024Q3``; it appears in the basis of a result."""
    path: Path


def releases_of(code_set: CodeSet[Any], directory: Path) -> list[Release]:
    """The releases of a code set, oldest first; a file that is none is refused, dot files are not seen."""
    folder = directory / code_set.name
    found = sorted(_release(code_set, path) for path in _files_of(folder) if not path.name.startswith("."))
    if not found:
        raise CodeSetError(folder, None, "this code set has no release")
    _refuse_ambiguity(found)
    return found


def _files_of(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        if folder.parent.is_dir():
            raise CodeSetError(folder, None, "this code set is missing") from None
        raise CodePathError(folder.parent, None, "there is no such code directory") from None
    except OSError as error:
        raise CodePathError(folder, None, f"cannot be read: {error.strerror}") from error


def path_of(code_set: CodeSet[Any], effective: date, name: str, directory: Path) -> Path:
    """Where a release belongs."""
    path = directory / code_set.name / f"{effective.isoformat()}_{name}{code_set.suffix}"
    return _release(code_set, path).path


def _release(code_set: CodeSet[Any], path: Path) -> Release:
    suffix = code_set.suffix
    named = _NAME.fullmatch(path.name.removesuffix(suffix)) if path.name.endswith(suffix) else None
    if named is None:
        raise CodeSetError(path, None, f"not a release: the name is not YYYY-MM-DD_RELEASE{suffix}")
    try:
        effective = date.fromisoformat(named[1])
    except ValueError:
        raise CodeSetError(path, None, f"not a release: {named[1]} is no date") from None
    return Release(code_set.name, effective, named[2], path)


def _refuse_ambiguity(releases: list[Release]) -> None:
    """On every day one release is in force, and its name says which."""
    dates: set[date] = set()
    names: set[str] = set()
    for release in releases:
        if release.effective in dates:
            raise CodeSetError(release.path, None, f"two releases are effective {release.effective}")
        if release.name in names:
            raise CodeSetError(release.path, None, f"two releases are named {release.name}")
        dates.add(release.effective)
        names.add(release.name)
