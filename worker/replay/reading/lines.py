"""JSON Lines in files, also compressed: told by their first bytes, and read in bounded memory."""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from worker.replay.reading.archived import Row
from worker.replay.reading.evidence import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK_BYTES = 1 << 19
"""Unpacked bytes that are read at once; its lines are a batch."""
MAGIC_BYTES = 4

Format: TypeAlias = Literal["lines", "gzip", "zstd", "parquet"]

EXTRA = "it needs pyarrow: install mms-adjudication-worker[replay]"
ANEW = "fetch the file anew, or make it again from the topic"

_BEGINNINGS: dict[bytes, Format] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PAR1": "parquet",
    **{bytes([first]) + b"\x2a\x4d\x18": "zstd" for first in range(0x50, 0x60)},  # frames to be skipped
}
_NAMES: dict[str, Format] = {".gz": "gzip", ".zst": "zstd", ".parquet": "parquet"}


def format_of(path: Path) -> Format:
    """How a file is stored. Raises EvidenceError if it cannot be read, or its name promises something else.

    What is plain JSON under the name of a packed file is read as that: some tools unpack on the way.
    """
    with reading(path), path.open("rb") as file:
        first = file.read(MAGIC_BYTES)
    for magic, found in _BEGINNINGS.items():
        if first.startswith(magic):
            return found
    promised = _NAMES.get(path.suffix.lower())
    if promised is not None and not first.lstrip().startswith(b"{"):
        raise EvidenceError(f"{path}: this is no {promised} file, though its name says so; {ANEW}")
    return "lines"


def rows(path: Path, stored: Format, longest: int) -> Iterator[list[Row | None]]:
    """The lines of a file, a batch at a time; None for blank ones, which only have a number.

    Of a line longer than ``longest`` bytes the value is its beginning, one byte too long. Raises
    EvidenceError if the file cannot be read or unpacked.
    """
    with reading(path, stored), _opened(path, stored) as stream:
        rest = b""
        while block := stream.read(BLOCK_BYTES):
            *complete, rest = (rest + block).split(b"\n")
            # Of a line that goes on for long its middle is dropped: it stays too long, and that is all of it.
            rest = rest[: longest + len(b"\r\n")]
            yield [_row(line, longest) for line in complete]
        if rest:
            yield [_row(rest, longest)]


def _row(line: bytes, longest: int) -> Row | None:
    if line.endswith(b"\r"):
        line = line[:-1]
    if len(line) > longest:
        return Row(line[: longest + 1])
    return None if not line or line.isspace() else Row(line)


@contextmanager
def _opened(path: Path, stored: Format) -> Iterator[Any]:
    if stored == "gzip":
        with gzip.open(path, "rb") as unpacked:
            yield unpacked
    elif stored == "zstd":
        try:
            import pyarrow as pa  # noqa: PLC0415  large, not always installed, and not always needed
        except ImportError:
            raise EvidenceError(f"{path}: {EXTRA}") from None
        with pa.OSFile(str(path)) as packed, pa.CompressedInputStream(packed, "zstd") as unpacked:
            yield unpacked
    else:
        with path.open("rb", buffering=0) as plain:
            yield plain


@contextmanager
def reading(path: Path, stored: Format = "lines") -> Iterator[None]:
    """Say in one line what is wrong with a file. What a library says of its content is not passed on."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise EvidenceError(f"{path}: it is damaged or cut off, as {stored}; {ANEW}") from None
    except OSError as error:
        if error.errno is None:  # pyarrow's, of what it unpacks
            raise EvidenceError(f"{path}: it is damaged or cut off, as {stored}; {ANEW}") from None
        raise EvidenceError(f"{path}: {error.strerror}") from None
