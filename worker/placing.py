"""Puts files in their places: each is whole or not there, and none is placed before all are written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import NamedTemporaryFile


def place(files: Mapping[Path, bytes]) -> None:
    """Write these contents, readable by all, over what is there.

    Each is written and flushed beside its place first; then they are renamed into it in the order given.
    Raises OSError, and has changed nothing then unless a renaming itself has failed.
    """
    with ExitStack() as unfinished:
        staged = []
        for path, content in files.items():
            with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
                written = Path(file.name)
                unfinished.callback(written.unlink, missing_ok=True)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            written.chmod(0o644)
            staged.append((written, path))
        for written, path in staged:
            written.replace(path)
