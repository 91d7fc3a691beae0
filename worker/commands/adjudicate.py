"""``mms-worker adjudicate``: a file of events in, a file of results out, no broker."""

from __future__ import annotations

import gc
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Annotated, TypeAlias

import orjson
from cyclopts import Parameter

from worker.adjudication import Reference, Rejected, adjudicate, decode, encode
from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.commands.ending import unwinding
from worker.commands.faults import FileError, exit_for, tell
from worker.commands.loading import CodesDir, EventsFile, Payers, PoliciesDir, reference_or_exit
from worker.commands.reading import Source, reading
from worker.commands.writing import Sink, refuse_shared_files, standard_output, writing

BATCH = 32
"""Lines that are decided together (measured: a tenth faster than one by one, or than hundreds)."""

LONG_FILE_BYTES = 4 << 20
"""From this size a watching person gets a progress bar."""

Rejection: TypeAlias = tuple[int, Iterable[bytes], Rejected]
"""A rejected line: its number from 1, its bytes in pieces, and why."""

TOO_LONG = Rejected("too_large", "$", f"the value has more than {MAX_VALUE_BYTES} bytes")


def adjudicate_file(
    file: EventsFile,
    /,
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
    its number, reason and JSON path, and the rest is still adjudicated. Files that are written have their
    names only once they are whole. Exit code 0 when all is well, 1 when lines were rejected, 2 when
    something could not be read, written or decided by.
    """
    try:
        with unwinding():
            refuse_shared_files(file, out, dead_letters)
            reference = reference_or_exit(policies_dir, codes_dir, payers)
            rejected = _adjudicate_lines(file, out, dead_letters, reference)
    except FileError as error:
        exit_for(error)
    if rejected:
        sys.exit(1)


def _adjudicate_lines(file: str, out: Path | None, dead_letters: Path | None, reference: Reference) -> int:
    """Decide all lines of the file; how many were rejected."""
    gc.freeze()  # the reference data lives as long as the process; the collector need not look at it again,
    gc.set_threshold(100_000, 20, 20)  # and what a claim allocates is freed without its help
    rejected = 0
    with ExitStack() as stack:
        source = stack.enter_context(reading(file))
        results = stack.enter_context(writing(out)) if out else standard_output()
        letters = stack.enter_context(writing(dead_letters)) if dead_letters else None
        advance = stack.enter_context(_progress(source))
        for number, pieces, rejection in _decide(source, results, reference, advance):
            rejected += 1
            if letters is None:
                tell(f"line {number}: {rejection.reason} at {rejection.path}: {rejection.message}")
            else:
                _write_letter(letters, number, pieces, rejection)
        results.flush()  # before any file is given its name: both are whole, or neither is there
        if letters is not None:
            letters.flush()
    return rejected


def _decide(
    source: Source, results: Sink, reference: Reference, advance: Callable[[], None]
) -> Iterator[Rejection]:
    """Write the results, a batch at a time, and yield the rejected lines."""
    for lines in source.batches(BATCH):
        if source.too_long:
            ((number, beginning),) = lines
            yield number, chain([beginning], source.rest()), TOO_LONG
            continue
        # Step by step over a small batch, not line by line: each step then finds its code and data in cache.
        events = [decode(line.rstrip(b"\r\n")) for _, line in lines]
        answers = [one if isinstance(one, Rejected) else adjudicate(one, reference) for one in events]
        encoded = [encode(one) for one in answers if not isinstance(one, Rejected)]
        rejected = len(encoded) < len(lines)
        encoded.append(b"")  # ends the last line
        results.write(b"\n".join(encoded))
        if rejected:
            for (number, line), answer in zip(lines, answers, strict=True):
                if isinstance(answer, Rejected) and line.strip():
                    yield number, [line], answer
        advance()


def _write_letter(letters: Sink, number: int, pieces: Iterable[bytes], rejection: Rejected) -> None:
    """A rejected line as a dead letter with its bytes but for the line's end, however long it is."""
    told = {
        "line": number,
        "reason": rejection.reason,
        "path": rejection.path,
        "message": rejection.message,
    }
    letters.write(orjson.dumps(told).removesuffix(b"}") + b',"value_base64":"')
    held = b""
    for piece in pieces:
        read = held + piece
        whole = max(len(read) - len(b"\r\n"), 0) // 3 * 3  # what may be the line's end is held back
        letters.write(b64encode(read[:whole]))
        held = read[whole:]
    letters.write(b64encode(held.removesuffix(b"\n").removesuffix(b"\r")) + b'"}\n')


@contextmanager
def _progress(source: Source) -> Iterator[Callable[[], None]]:
    """A bar over the file's bytes when it is long and a person watches; else nothing."""
    size = source.size
    if size < LONG_FILE_BYTES or sys.stderr is None or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("adjudicating", total=size)
        yield lambda: bar.update(task, completed=source.position())
