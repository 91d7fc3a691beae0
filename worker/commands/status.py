"""``mms-worker status``: how the stream stands, in one look."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import orjson
from cyclopts import Parameter
from cyclopts.validators import Number

from worker.commands.brokers import (
    NOT_READ,
    Bootstrap,
    answer_or_exit,
    exit_with,
    settings_or_exit,
    telling,
)
from worker.commands.console import screen
from worker.commands.faults import naming

if TYPE_CHECKING:
    from worker.stream.status.standing import Standing

NEEDS_A_LOOK = 1
"""Exit code where something was found that a person should see."""
MOST_LAG_S = 60.0
REDRAWN_S = 2.0

Flag = Parameter(negative="")


@Parameter(name="*")
@dataclass(frozen=True)
class Look:
    """What is looked at, and how it is shown."""

    max_lag: Annotated[
        float,
        Parameter(
            help="Age in seconds above which an undecided record is a finding.", validator=Number(gt=0)
        ),
    ] = MOST_LAG_S
    dead_letters: Annotated[
        bool,
        Parameter(
            negative="--no-dead-letters",
            help="Count the dead letters: that reads all that there are, which takes time if they are many.",
        ),
    ] = True
    all_partitions: Annotated[
        bool, Flag, Parameter(name="--all", help="List every partition, however many there are.")
    ] = False
    json: Annotated[bool, Flag, Parameter(help="Print one JSON document.")] = False
    watch: Annotated[bool, Flag, Parameter(help="Draw it again and again, until Ctrl-C.")] = False
    every: Annotated[
        float,
        Parameter(help="Seconds between two drawings with --watch.", validator=Number(gte=0.2, lte=3600)),
    ] = REDRAWN_S


ONCE = Look()


def status(*, look: Look = ONCE, bootstrap: Bootstrap = None) -> None:
    """Show the group and its workers, lag and commits by partition, dead letters by reason, digests live.

    The first line is the verdict. Exit code 0 when all is well; 1 when something needs a look: no worker
    runs, a partition has none, the group is rebalancing, a record waits for longer than --max-lag, a
    committed offset is outside its log, a transaction hangs (it is open 10 s after its producer's timeout,
    when brokers should have aborted it, or its coordinator has no part in it), partitions are decided by
    different digests, or the topics' numbers of partitions differ; 2 when the brokers or topics cannot be
    read. Dead letters are told, and are no finding. With --watch the exit code is 0 after Ctrl-C.

    For how long transactions are open, their coordinators tell those who may describe the transactional ids.
    Others know of it only what the log shows: that it was there before a marker of another transaction.

    Shows nothing of a claim. Nothing is joined, committed or written.
    """
    if look.watch:
        _watch(look, bootstrap)
        return
    with telling() as out:
        settings = settings_or_exit(bootstrap)

        from worker.commands.status_page import page
        from worker.stream.rights.table import Task
        from worker.stream.status.reading import Reader

        reader = Reader(settings, look.max_lag, dead_letters=look.dead_letters)
        standing = answer_or_exit(reader.read(), settings, Task.STATUS)
        with naming(out.name):
            if look.json:
                out.write(document(standing))
            else:
                screen().print(page(standing, all_partitions=look.all_partitions), crop=False)
    if standing.findings:
        sys.exit(NEEDS_A_LOOK)


def document(standing: Standing) -> bytes:
    """The standing as JSON; times are Unix times in seconds."""
    from msgspec import to_builtins

    return orjson.dumps(to_builtins(standing), option=orjson.OPT_INDENT_2) + b"\n"


def _watch(look: Look, bootstrap: str | None) -> None:
    if look.json:
        exit_with("--watch draws on a terminal; with --json run it as often as you like instead", NOT_READ)
    console = screen()
    if not console.is_terminal:
        exit_with("--watch needs a terminal", NOT_READ)
    settings = settings_or_exit(bootstrap)

    from worker.commands.status_watch import watching
    from worker.stream.rights.table import Task
    from worker.stream.status.reading import Reader

    reader = Reader(settings, look.max_lag, dead_letters=look.dead_letters)
    work = watching(reader, console, look.every, all_partitions=look.all_partitions)
    stopped_by = answer_or_exit(work, settings, Task.STATUS)
    if stopped_by is not None:
        sys.exit(128 + stopped_by)
