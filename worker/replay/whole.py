"""Files that have their names only once they are whole and on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def writing_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of ``path`` at the end; on a failure what was there stays."""
    # One name for each: what a killed process left is written over by the next, and hidden until then.
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write all of a file, or nothing."""
    with writing_whole(path) as stream:
        stream.write(data)
