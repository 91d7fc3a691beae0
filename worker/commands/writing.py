"""Where a command writes to: files that are whole or not there, devices and standard output as they are."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO, TextIO

from worker.commands.faults import STANDARD_INPUT, STANDARD_OUTPUT, FileError, naming


class Sink:
    """A stream of bytes. Errors are ``FileError`` with the name that the user gave."""

    def __init__(self, name: str, stream: BinaryIO) -> None:
        self.name = name
        self._stream = stream

    def write(self, data: bytes) -> None:
        """Write all of the bytes."""
        with naming(self.name):
            self._stream.write(data)

    def flush(self) -> None:
        """Hand what is buffered to the system, so that a full disk shows."""
        with naming(self.name):
            self._stream.flush()


def refuse_shared_files(source: str, out: Path | None, dead_letters: Path | None) -> None:
    """Raise ``FileError`` when two of a run's ends are one file, through whatever links; devices may be."""
    seen: dict[tuple[int, int] | str, str] = {}
    ends: list[str | Path | int | None] = [_standard(sys.stdin) if source == "-" else source]
    ends += [out or _standard(sys.stdout), dead_letters]
    names = [STANDARD_INPUT if source == "-" else source, str(out or STANDARD_OUTPUT), str(dead_letters)]
    for end, name in zip(ends, names, strict=True):
        identity = None if end is None else _identity(end, name)
        if identity is None:
            continue
        if identity in seen:
            other = seen[identity]
            raise FileError(f"{name}: it is the same file as {other}; input and outputs need a file each")
        seen[identity] = name


def _standard(stream: TextIO | None) -> int | None:
    """The descriptor of a standard stream, or None when it is closed."""
    return None if stream is None else stream.fileno()


def _identity(end: str | Path | int, name: str) -> tuple[int, int] | str | None:
    """What is equal for two names of one file; None for what is no file, such as a device."""
    with naming(name):
        try:
            status = os.stat(end)  # noqa: PTH116  a descriptor has no path
        except FileNotFoundError:
            return os.path.realpath(str(end))
        return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def standard_output() -> Sink:
    """Standard output for bytes; ``FileError`` when it is closed."""
    if sys.stdout is None:
        raise FileError(f"{STANDARD_OUTPUT}: it is closed; redirect it to a file")
    return Sink(STANDARD_OUTPUT, sys.stdout.buffer)


@contextmanager
def writing(path: Path) -> Iterator[Sink]:
    """A file that has its name only once it is whole; on any failure what was there stays as it was.

    A link stays a link: the file that it leads to is replaced. A device, a pipe, or a file that is already
    this process's standard output or error is written as it is.
    """
    with naming(str(path)), _stream(path) as stream:
        yield Sink(str(path), stream)


@contextmanager
def _stream(path: Path) -> Iterator[BinaryIO]:
    try:
        status = path.stat()
    except FileNotFoundError:
        umask = os.umask(0o077)  # it can only be read by setting it
        os.umask(umask)
        with _replacing(path, 0o666 & ~umask) as stream:
            yield stream
        return
    if not stat.S_ISREG(status.st_mode):
        with path.open("wb") as stream:
            yield stream
    elif (descriptor := _standard_descriptor(status)) is not None:
        with open(descriptor, "wb", closefd=False) as stream:
            yield stream
    elif not os.access(path, os.W_OK):  # replacing it would get round its protection
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    else:
        with _replacing(path, stat.S_IMODE(status.st_mode)) as stream:
            yield stream


def _standard_descriptor(status: os.stat_result) -> int | None:
    """Which of standard output and error is redirected to this file: ``/dev/stdout`` names it too."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and os.path.samestat(status, os.fstat(stream.fileno())):
            return stream.fileno()
    return None


@contextmanager
def _replacing(path: Path, mode: int) -> Iterator[BinaryIO]:
    target = Path(os.path.realpath(path))
    descriptor, name = mkstemp(prefix=".mms-worker-", suffix=".partial", dir=target.parent)
    temporary = Path(name)
    try:
        with open(descriptor, "wb") as stream:  # noqa: PTH123  a descriptor has no path
            os.fchmod(descriptor, mode)
            yield stream
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
