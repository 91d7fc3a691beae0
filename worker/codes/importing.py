"""Brings a publisher's release into a code directory: all of it, or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from worker.codes.catalog import Reader, load_by
from worker.codes.errors import CodePathError, CodeSetError
from worker.codes.listing import listed_contents
from worker.codes.publishers.draft import Draft
from worker.codes.publishers.icd10cm_order import read_icd10cm_order
from worker.codes.publishers.ncci_aoc import read_ncci_aoc
from worker.codes.publishers.ncci_mue import read_ncci_mue
from worker.codes.publishers.ncci_ptp import read_ncci_ptp
from worker.codes.releases import PACKAGE_DATA, path_of, releases_of
from worker.codes.sets import CodeSet
from worker.manifest import MANIFEST, manifest_of
from worker.placing import place

PUBLISHERS: Mapping[str, Callable[[list[Path]], Draft]] = {
    "ncci-ptp": read_ncci_ptp,
    "ncci-mue": read_ncci_mue,
    "ncci-aoc": read_ncci_aoc,
    "icd10cm": read_icd10cm_order,
}
"""Kind of import to the reader of its publisher's format."""


class ImportRefusedError(Exception):
    """The files are in order, but more must be said to import them: the message says what."""


class Imported(NamedTuple):
    """What an import has written."""

    code_set: str
    release: str
    effective: date
    rows: int
    file: Path
    replaced: bool


def import_release(
    kind: str,
    files: list[Path],
    directory: Path | None = None,
    *,
    effective: date | None = None,
    release: str | None = None,
    replace: bool = False,
) -> Imported:
    """Writes the release that ``files`` hold into ``directory``, by default the package's own data.

    A directory that does not exist, or is empty, becomes a copy of the package's data with the release in it,
    so that it is complete. The directory's manifest lists the release afterwards. ``effective`` and
    ``release`` override what the files' names say. Nothing is changed when this raises: ``CodeSetError`` for
    a file or an existing directory that does not check, ``CodePathError`` for a path that cannot be read or
    written, or that is not as the manifest lists it, and ``ImportRefusedError`` when the release is there
    already and ``replace`` is not given, or when neither name nor argument tells which it is.
    """
    target = directory or PACKAGE_DATA
    draft = PUBLISHERS[kind](files)
    starts, name = _identity(draft, effective, release)
    rows = len(draft.code_set.parse(draft.text, files[0]))
    path = path_of(draft.code_set, starts, name, target)
    try:
        new = not target.exists() or not any(target.iterdir())
        there = PACKAGE_DATA if new else target
        contents = _checked(there)
        replaced = _refuse_clash(draft.code_set, (starts, name), there, replace=replace)
        release_name, content = path.relative_to(target).as_posix(), draft.text.encode("ascii")
        manifest = manifest_of({**contents, release_name: content})
        if new:
            _write_directory(target, {**contents, release_name: content, MANIFEST: manifest})
        else:
            place({path: content, target / MANIFEST: manifest})
    except OSError as error:
        raise CodePathError(target, None, f"cannot be written: {error.strerror or error}") from error
    return Imported(draft.code_set.name, name, starts, rows, path, replaced)


def _identity(draft: Draft, effective: date | None, release: str | None) -> tuple[date, str]:
    starts = effective or draft.effective
    if starts is None:
        raise ImportRefusedError("the file's name does not tell from when it is in force: give --effective")
    name = release or draft.name
    if release is None and effective is not None and effective != draft.effective and draft.name is not None:
        name = f"{draft.name}-{effective.isoformat()}"
    if name is None:
        raise ImportRefusedError("the file's name does not tell which release it is: give --release")
    return starts, name


def _checked(directory: Path) -> dict[str, bytes]:
    """The files of a directory, which must be as listed and check.

    A release in a directory that no worker starts on would look like a success, and a manifest that is made
    of files as they are would vouch for what somebody changed.
    """
    try:
        contents = listed_contents(directory)
        load_by(Reader(directory, contents))
    except CodePathError:
        raise
    except CodeSetError as error:
        reason = f"{error.reason}; nothing is imported into a code directory that does not check"
        raise CodeSetError(error.file, error.line, reason) from None
    return contents


def _refuse_clash(code_set: CodeSet[Any], new: tuple[date, str], directory: Path, *, replace: bool) -> bool:
    """Whether the same release is there and may be replaced; another of its date or name is refused."""
    for there in releases_of(code_set, directory):
        if (there.effective, there.name) == new:
            if not replace:
                raise ImportRefusedError(
                    f"{there.path.name} is there already: give --replace to write it anew"
                )
            return True
        if there.effective == new[0] or there.name == new[1]:
            raise ImportRefusedError(
                f"{there.path.name} is there already, of the same date or name: give --effective or --release"
            )
    return False


def _write_directory(directory: Path, contents: Mapping[str, bytes]) -> None:
    """The whole directory with these files, or none.

    It is made in the nearest directory that exists and renamed into place. An empty one is filled, not
    replaced, since it may be where a volume is mounted or where somebody stands.
    """
    base = next(one for one in (directory, *directory.absolute().parents) if one.exists())
    with tempfile.TemporaryDirectory(prefix=".", dir=base) as staging:
        staged = Path(staging) / directory.absolute().relative_to(base.absolute())
        for name in contents:
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
        place({staged / name: content for name, content in contents.items()})
        for made in sorted(Path(staging).iterdir()):
            made.rename(base / made.name)
