"""Files that have their names only once they are whole and on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PRIVATE, SHARED = 0o600, 0o666
"""Modes of a file for its owner alone, as whatever holds PHI is, and of one for whom the umask lets."""


@contextmanager
def writing_whole(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """A file to write that takes the place of ``path`` at the end; on a failure what was there stays."""
    # One name for each: what a killed process left goes when the next begins, and is hidden until then.
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes, mode: int = PRIVATE) -> None:
    """Write all of a file, or nothing."""
    with writing_whole(path, mode) as stream:
        stream.write(data)
