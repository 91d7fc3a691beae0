"""A file of a publisher, its name on the first line behind the kind of import: a release, or refused.

Done is all that an import does but for looking into the code directory and writing.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from worker.codes.errors import CodeSetError
from worker.codes.importing import PUBLISHERS, ImportRefusedError, _identity
from worker.codes.publishers.draft import Draft
from worker.codes.releases import path_of

KINDS = tuple(PUBLISHERS)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="mms-fuzz-")


def check(data: bytes) -> None:
    head, _, content = data.partition(b"\n")
    kind, _, name = head.decode(errors="replace").partition(" ")
    if kind not in PUBLISHERS:
        kind = KINDS[len(kind) % len(KINDS)]
    file = Path(_folder().name) / (re.sub(r"[/\0]", "", name)[:60].strip(".") or "release.txt")
    file.write_bytes(content)
    try:
        draft = PUBLISHERS[kind]([file])
        starts, release = _identity(draft, None, None)
        path = path_of(draft.code_set, starts, release, Path("codes"))
    except (CodeSetError, ImportRefusedError):
        return
    finally:
        file.unlink()
    _assert_stored_as_read(draft, path)


def _assert_stored_as_read(draft: Draft, path: Path) -> None:
    """What is written is what a catalog reads, and is in the encoding that it is written in."""
    draft.text.encode("ascii")
    str(path).encode("ascii")
    with suppress(CodeSetError):  # by which ``import_release`` refuses it, before anything is written
        assert len(draft.code_set.parse(draft.text, path))
