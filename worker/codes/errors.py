"""The ways in which a code-set file is refused: for what is in it, or because it cannot be got at."""

from __future__ import annotations

from pathlib import Path


class CodeSetError(Exception):
    """A code-set file does not check: which file, which line, and why.

    ``line`` counts from 1 and is None when the fault is of the whole file or directory. The message is
    ``file:line: reason``, fit to be shown to a user as it is.
    """

    def __init__(self, file: Path, line: int | None, reason: str) -> None:
        self.file = file
        self.line = line
        self.reason = reason
        super().__init__(f"{file}:{line}: {reason}" if line is not None else f"{file}: {reason}")


class CodePathError(CodeSetError):
    """A file or directory is not there, or cannot be read or written: not what is in it is at fault."""


class CodeManifestError(CodePathError):
    """A file is not as the directory's manifest lists it; what is in it has not been looked at."""
