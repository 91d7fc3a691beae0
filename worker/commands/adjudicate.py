"""``mms-worker adjudicate``: a file of events in, a file of results out, no broker."""

from __future__ import annotations

import gc
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, TypeAlias

import orjson
from cyclopts import Group, Parameter
from cyclopts.validators import mutually_exclusive

from worker.adjudication import Reference, Rejected, Result, adjudicate_alone, decode, encode
from worker.adjudication.claim import Event
from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.commands.ending import unwinding
from worker.commands.faults import FileError, exit_for, tell
from worker.commands.folding import Members
from worker.commands.loading import (
    SHIPPED,
    USUAL_LIMITS,
    EventsFile,
    HistoryLimits,
    ReferenceFiles,
    reference_or_exit,
)
from worker.commands.reading import Source, reading
from worker.commands.writing import Sink, refuse_shared_files, standard_output, writing

BATCH = 32
"""Lines that are decided together (measured: a tenth faster than one by one, or than hundreds)."""

LONG_FILE_BYTES = 4 << 20
"""From this size a watching person gets a progress bar."""

Answers: TypeAlias = tuple[Sequence[object], Sequence[Result]]
"""What each event came to, a ``Rejected`` among it where it was rejected, and all results in order."""

Decide: TypeAlias = Callable[[Sequence[Event | Rejected]], Answers]
"""How events are decided: with their members' histories, or each by itself."""

Rejection: TypeAlias = tuple[int, Iterable[bytes], Rejected]
"""A rejected line: its number from 1, its bytes in pieces, and why."""

TOO_LONG = Rejected("too_large", "$", f"the value has more than {MAX_VALUE_BYTES} bytes")

WITH_OR_WITHOUT_HISTORY = Group(validator=mutually_exclusive)


@Parameter(name="*")
@dataclass(frozen=True)
class Outputs:
    """Where what comes out is written to."""

    out: Annotated[Path | None, Parameter(help="Write results here, not to standard output.")] = None
    dead_letters: Annotated[
        Path | None, Parameter(help="Write rejected lines here, with their bytes, not to standard error.")
    ] = None
    histories: Annotated[
        Path | None,
        Parameter(
            group=WITH_OR_WITHOUT_HISTORY,
            help="Write what is held of each member in the end here, in base64. It holds claims: PHI.",
        ),
    ] = None

    def refuse_shared(self, file: str) -> None:
        """Raise ``FileError`` when two ends of the run, the input among them, are one file."""
        refuse_shared_files(file, self.out, self.dead_letters)
        refuse_shared_files(file, self.out, self.histories)
        if self.dead_letters is not None:
            refuse_shared_files(str(self.dead_letters), self.out, self.histories)


STANDARD_STREAMS = Outputs()


def adjudicate_file(
    file: EventsFile,
    /,
    *,
    outputs: Outputs = STANDARD_STREAMS,
    stateless: Annotated[
        bool,
        Parameter(
            group=WITH_OR_WITHOUT_HISTORY,
            negative="",
            help="Judge each claim by itself; an event about an earlier claim is rejected.",
        ),
    ] = False,
    limits: HistoryLimits = USUAL_LIMITS,
    reference_files: ReferenceFiles = SHIPPED,
) -> None:
    """Adjudicate a file of claim events.

    Reads one structured-mode CloudEvent a line and decides it with its member's earlier events in the file,
    as the worker does with those of a topic. Writes the results, one a line: of the event's own claim first,
    then of the member's other claims that it changes. A rejected line is told with its number, reason and
    JSON path, and the rest is still adjudicated. Files that are written have their names only once they are
    whole. Exit code 0 when all is well, 1 when lines were rejected, 2 when something could not be read,
    written or decided by.
    """
    try:
        with unwinding():
            outputs.refuse_shared(file)
            reference = reference_or_exit(reference_files)
            members = None if stateless else Members(reference, limits.limits)
            decide = _alone(reference) if members is None else _with_history(members)
            rejected = _adjudicate_lines(file, outputs, decide, members)
    except FileError as error:
        exit_for(error)
    if rejected:
        sys.exit(1)


def _alone(reference: Reference) -> Decide:
    def decide(events: Sequence[Event | Rejected]) -> Answers:
        answers = [one if isinstance(one, Rejected) else adjudicate_alone(one, reference) for one in events]
        return answers, [one for one in answers if not isinstance(one, Rejected)]

    return decide


def _with_history(members: Members) -> Decide:
    def decide(events: Sequence[Event | Rejected]) -> Answers:
        answers = [one if isinstance(one, Rejected) else members.adjudicate(one) for one in events]
        return answers, [result for one in answers if not isinstance(one, Rejected) for result in one.results]

    return decide


def _adjudicate_lines(file: str, outputs: Outputs, decide: Decide, members: Members | None) -> int:
    """Decide all lines of the file; how many were rejected."""
    gc.freeze()  # the reference data lives as long as the process; the collector need not look at it again,
    gc.set_threshold(100_000, 20, 20)  # and what a claim allocates is freed without its help
    rejected = 0
    with ExitStack() as stack:
        source = stack.enter_context(reading(file))
        results = stack.enter_context(writing(outputs.out)) if outputs.out else standard_output()
        letters = stack.enter_context(writing(outputs.dead_letters)) if outputs.dead_letters else None
        histories = stack.enter_context(writing(outputs.histories)) if outputs.histories else None
        advance = stack.enter_context(_progress(source))
        for number, pieces, rejection in _decide(source, results, decide, advance):
            rejected += 1
            if letters is None:
                tell(f"line {number}: {rejection.reason} at {rejection.path}: {rejection.message}")
            else:
                _write_letter(letters, number, pieces, rejection)
        if histories is not None and members is not None:
            _write_histories(histories, members)
        for sink in (results, letters, histories):  # before any file has its name: all are whole, or none
            if sink is not None:
                sink.flush()
    return rejected


def _decide(
    source: Source, results: Sink, decide: Decide, advance: Callable[[], None]
) -> Iterator[Rejection]:
    """Write the results, a batch at a time, and yield the rejected lines."""
    for lines in source.batches(BATCH):
        if source.too_long:
            ((number, beginning),) = lines
            yield number, chain([beginning], source.rest()), TOO_LONG
            continue
        # Step by step over a small batch, not line by line: each step then finds its code and data in cache.
        events = [decode(line.rstrip(b"\r\n")) for _, line in lines]
        answers, decided = decide(events)
        encoded = [encode(result) for result in decided]
        encoded.append(b"")  # ends the last line
        results.write(b"\n".join(encoded))
        if Rejected in map(type, answers):
            for (number, line), answer in zip(lines, answers, strict=True):
                if isinstance(answer, Rejected) and line.strip():
                    yield number, [line], answer
        advance()


def _write_histories(histories: Sink, members: Members) -> None:
    for member_id, state in members:
        told = {"member_id": member_id, "bytes": len(state), "state_base64": b64encode(state).decode()}
        histories.write(orjson.dumps(told) + b"\n")


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
