"""``mms-worker adjudicate``: a file of events in, a file of results out, no broker."""

from __future__ import annotations

import gc
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
from cyclopts import Parameter

from worker.adjudication import Reference, Rejected, adjudicate, decode, encode
from worker.commands.loading import CodesDir, EventsFile, Payers, PoliciesDir, reference_or_exit

BATCH = 32
"""Lines that are decided together (measured: a tenth faster than one by one, or than hundreds)."""

LONG_FILE_BYTES = 4 << 20
"""From this size a watching person gets a progress bar."""


def adjudicate_file(
    file: EventsFile,
    *,
    out: Annotated[Path | None, Parameter(help="Write results here, not to standard output.")] = None,
    dead_letters: Annotated[
        Path | None, Parameter(help="Write rejected lines here, with their bytes, not to standard error.")
    ] = None,
    policies_dir: PoliciesDir = None,
    codes_dir: CodesDir = None,
    payers: Payers = None,
) -> None:
    """Adjudicate a file of claim events.

    Reads one structured-mode CloudEvent a line and writes one result a line. A rejected line is told with
    its number, reason and JSON path, and the rest is still adjudicated. Exit code 0 when all is well, 1 when
    lines were rejected, 2 when nothing could be read, written or decided by.
    """
    if out and dead_letters and out.resolve() == dead_letters.resolve() and not out.is_char_device():
        print(f"mms-worker: {out}: results and dead letters need a file each", file=sys.stderr)
        sys.exit(2)
    reference = reference_or_exit(policies_dir, codes_dir, payers)
    gc.freeze()  # the reference data lives as long as the process; the collector need not look at it again,
    gc.set_threshold(100_000, 20, 20)  # and what a claim allocates is freed without its help
    rejected = 0
    try:
        with ExitStack() as stack:
            source = stack.enter_context(_source(file))
            results = stack.enter_context(_sink(out)) if out else sys.stdout.buffer
            letters = stack.enter_context(_sink(dead_letters)) if dead_letters else None
            advance = stack.enter_context(_progress(file))
            for number, line, rejection in _decide(source, results, reference, advance):
                rejected += 1
                _tell(letters, number, line, rejection)
            results.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"mms-worker: {error.filename or file}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    if rejected:
        sys.exit(1)


def _decide(
    source: BinaryIO, results: BinaryIO, reference: Reference, advance: Callable[[int], None]
) -> Iterator[tuple[int, bytes, Rejected]]:
    """Write the results, a batch at a time, and yield the rejected lines with their numbers from 1."""
    numbered = enumerate(source, 1)
    while lines := list(islice(numbered, BATCH)):
        # Step by step over a small batch, not line by line: each step then finds its code and data in cache.
        events = [decode(line.rstrip(b"\r\n")) for _, line in lines]
        answers = [one if isinstance(one, Rejected) else adjudicate(one, reference) for one in events]
        encoded = [encode(one) + b"\n" for one in answers if not isinstance(one, Rejected)]
        results.write(b"".join(encoded))
        for (number, line), answer in zip(lines, answers, strict=True):
            if isinstance(answer, Rejected) and line.strip():
                yield number, line, answer
        advance(sum(len(line) for _, line in lines))


def _tell(letters: BinaryIO | None, number: int, line: bytes, rejection: Rejected) -> None:
    """A rejected line as a dead letter with its bytes, or told on standard error without them."""
    if letters is None:
        told = f"line {number}: {rejection.reason} at {rejection.path}: {rejection.message}"
        print(told, file=sys.stderr)
        return
    letter = {
        "line": number,
        "reason": rejection.reason,
        "path": rejection.path,
        "message": rejection.message,
        "value_base64": b64encode(line.rstrip(b"\r\n")).decode(),
    }
    letters.write(orjson.dumps(letter) + b"\n")


@contextmanager
def _source(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as source:
        yield source


@contextmanager
def _sink(path: Path) -> Iterator[BinaryIO]:
    """A file that has its name only once it is whole; a device or pipe is written as it is."""
    if path.exists() and not path.is_file():
        with path.open("wb") as sink:
            yield sink
        return
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as sink:
            yield sink
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _progress(file: str) -> Iterator[Callable[[int], None]]:
    """A bar over the file's bytes when it is long and a person watches; else nothing."""
    size = Path(file).stat().st_size if file != "-" else 0
    if size < LONG_FILE_BYTES or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("adjudicating", total=size)
        yield lambda read: bar.advance(task, read)
