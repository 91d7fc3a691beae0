"""``SHA256SUMS``: what the files are that claims are decided by, so that a changed one is not.

The format is that of ``sha256sum`` of the GNU coreutils, which checks it too: a line a file, of 64
hexadecimal digits, a space, a space or ``*``, and the name below the manifest's directory. Only plain names
are taken: no absolute ones, no ``.`` or ``..``, nothing escaped.

It tells what was changed by accident or without care, and not what was changed by whoever can write the
manifest as well.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

MANIFEST = "SHA256SUMS"
"""Name of a directory's manifest."""
SUFFIX = ".sha256"
"""Of the manifest of one file alone, which lies beside it: ``payers.toml.sha256``."""

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_NO_PART = {"", ".", ".."}


class ManifestError(Exception):
    """A file is not as the manifest says, or the manifest is none: which file, and what to do about it."""

    def __init__(self, file: Path, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"{file}: {reason}")


def read_listed(manifest: Path, names: Collection[str], command: str) -> dict[str, bytes]:
    """The content of each of these files below the manifest's directory, by name; each is read once.

    What is returned are the bytes that were digested. The manifest lists these names and no others, and no
    link leads out of the directory; else ManifestError is raised, whose message tells ``command`` as what
    writes the manifest anew.
    """
    directory = manifest.parent
    if not os.path.lexists(manifest):
        raise ManifestError(manifest, f"there is no manifest of these files; `{command}` writes it")
    listed = _parsed(manifest, command)
    amended = f"or, if that is meant, write {manifest.name} anew by `{command}`"
    for name in sorted(set(names) - listed.keys()):
        raise ManifestError(directory / _shown(name), f"not listed in {manifest.name}: remove it, {amended}")
    for name in sorted(listed.keys() - set(names)):
        reason = (
            f"listed in {manifest.name}, but not among the files that are read here: put it back, {amended}"
        )
        raise ManifestError(directory / name, reason)
    contents = {name: _content(directory / name, directory) for name in sorted(names)}
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != listed[name]:
            reason = f"it is not what {manifest.name} says (SHA-256): restore it, {amended}"
            raise ManifestError(directory / name, reason)
    return contents


def manifest_of(contents: Mapping[str, bytes]) -> bytes:
    """The manifest that lists these contents by their names.

    Raises ManifestError for a name that no manifest may have.
    """
    refused = next((name for name in contents if not _is_plain(name)), None)
    if refused is not None:
        raise ManifestError(Path(_shown(refused)), "no manifest can list a file of this name: rename it")
    lines = [f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents)]
    return "".join(lines).encode()


def _parsed(manifest: Path, command: str) -> dict[str, str]:
    """The digest of each name."""
    listed: dict[str, str] = {}
    lines = _content(manifest, manifest.parent).removesuffix(b"\n").split(b"\n")
    for number, line in enumerate(lines, start=1):
        reason = _refused(line, listed)
        if reason is not None:
            reason = f"line {number}: {reason}; `{command}` writes the manifest anew"
            raise ManifestError(manifest, reason)
    return listed


def _refused(line: bytes, listed: dict[str, str]) -> str | None:
    """Take a line into what is listed, or tell why not."""
    try:
        matched = _LINE.fullmatch(line.decode())
    except UnicodeDecodeError:
        return "not UTF-8"
    if matched is None:
        return "no line as sha256sum writes it: digest, two spaces, name"
    digest, name = matched.groups()
    if not _is_plain(name):
        return "the name is no plain path below the directory"
    if name in listed:
        return "the name is listed twice"
    listed[name] = digest
    return None


def _is_plain(name: str) -> bool:
    return name.isprintable() and "\\" not in name and _NO_PART.isdisjoint(name.split("/"))


def _shown(name: str) -> str:
    """A name of a directory's, on one line whatever it holds."""
    return name if name.isprintable() else ascii(name)


def _content(path: Path, directory: Path) -> bytes:
    """What is in a file that lies in the directory; links within it are followed, as volumes have them."""
    try:
        real = Path(os.path.realpath(path, strict=True))
        if not real.is_relative_to(os.path.realpath(directory)):
            raise ManifestError(path, "a link that leads out of its directory: put the file itself there")
        if not real.is_file():
            raise ManifestError(path, "no regular file")
        return real.read_bytes()
    except OSError as error:
        raise ManifestError(path, f"cannot be read: {error.strerror}") from error
