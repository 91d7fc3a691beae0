"""``mms-worker replay``: decides the events of the past again, and compares with what was published."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from worker.commands.brokers import (
    NOT_READ,
    answer_or_exit,
    exit_with,
    settings_or_exit,
)
from worker.commands.loading import USUAL_LIMITS, HistoryLimits
from worker.commands.pushing import pushing
from worker.commands.replay_options import (
    FILE_PARTS,
    OUTPUTS_AND_FILES,
    RECORDED,
    TOPICS,
    Again,
    Deciding,
    Given,
    Into,
    announce_phi,
    require_pyarrow,
)
from worker.commands.verdicts import judging, told_if_stopped

if TYPE_CHECKING:
    from worker.replay.planning.plan import Asked, Plan
    from worker.replay.reading.archives import FileSource
    from worker.replay.reading.topics import TopicSource
    from worker.replay.reading.window import Bounds

app = App(name="replay")


@app.default
def replay(
    *,
    into: Into,
    given: Given = TOPICS,
    deciding: Deciding = RECORDED,
    limits: HistoryLimits = USUAL_LIMITS,
) -> None:
    """Replay topics, or files with --events and --results, and write a report to --out.

    Reads topics without a group, commits nothing and writes nothing to them. Each event is decided again by
    the policies and code sets that its result names, found in the package or in folders given by --basis;
    what differs is told with its cause. With --policies, --codes or --payers the report is about what those
    would have decided. Ctrl-C puts aside what is done, for --resume; a second one does not wait for that.
    With --push a Prometheus Pushgateway is told how it ended, unless it was interrupted; whether that worked
    changes no exit code.

    Exit code 0 when every published result was reproduced, 1 when something differs, 2 when the evidence or
    the options do not allow a verdict, 130 or 143 when it was interrupted.
    """
    with pushing(into.push, given) as ending, judging():
        with told_if_stopped("stopped before anything was decided"):
            require_pyarrow()

            from worker.commands.replaying import Order, before_or_exit, replay_or_exit
            from worker.replay.planning.plan import Asked
            from worker.replay.running.processes import usable_cores

            before = before_or_exit(into.out, resume=into.resume)
            announce_phi(with_phi=into.with_phi)
            asked = Asked(
                limits=limits.limits,
                with_phi=into.with_phi,
                begin=given.begin,
                end=given.end,
                basis=deciding.basis,
                policies=deciding.policies,
                codes=deciding.codes,
                payers=deciding.payers,
                shards=None if before is None else before.shards,
            )
            plan = _plan_or_exit(given, asked)
        processes = into.processes or usable_cores()
        order = Order(into.out, before, tuple(sys.argv[1:]), processes, lines=into.progress)
        replay_or_exit(plan, order, heard=ending.take)


def _plan_or_exit(given: Given, asked: Asked) -> Plan:
    """What is to be done, or exit 2 with what is in its way."""
    from worker.commands.watching import reading_evidence
    from worker.replay.planning.basis import refuse_absent
    from worker.replay.planning.planned import planned
    from worker.replay.reading.evidence import EvidenceError
    from worker.stream.rights.table import Task

    try:
        refuse_absent(asked.basis)  # where the package has all that is needed too: it was meant to be there
        if given.events:
            parts = len(asked.shards) if asked.shards else FILE_PARTS
            files = _files_or_exit(given, parts)
            with reading_evidence():
                return asyncio.run(planned(files, asked))
        source = _topics_or_exit(given)
        with reading_evidence():
            return answer_or_exit(planned(source, asked), source.settings, Task.REPLAY)
    except EvidenceError as error:
        exit_with(str(error), NOT_READ)


def _files_or_exit(given: Given, parts: int) -> FileSource:
    from worker.replay.reading.archives import FileSource

    if given.bootstrap is not None:
        exit_with("give topics by --bootstrap, or files by --events and --results, not both", NOT_READ)
    if not given.results:
        exit_with("--events needs --results: the files of what was published for them", NOT_READ)
    return FileSource(given.events, given.results, parts, _bounds_or_exit(given))


def _topics_or_exit(given: Given) -> TopicSource:
    from worker.replay.reading.topics import TopicSource

    if given.results:
        exit_with("--results needs --events: the files that they were decided from", NOT_READ)
    return TopicSource(settings_or_exit(given.bootstrap), _bounds_or_exit(given))


def _bounds_or_exit(given: Given) -> Bounds:
    from worker.replay.reading.window import bounds

    try:
        return bounds(given.begin, given.end)
    except ValueError as error:
        exit_with(str(error), NOT_READ)


@app.command(name="verify")
def verify(
    directory: Annotated[Path, Parameter(help="The folder that a replay has written.")],
    /,
    *,
    again: Again = OUTPUTS_AND_FILES,
) -> None:
    """Check a replay's folder against its manifest: every output, and every input file that is there.

    Topics are read again with --inputs alone, or where --bootstrap says from which brokers. With --signed-by
    every published result that was replayed must have a good signature by one of these keys; of topics the
    results are read again for it. Prints the SHA-256 of the manifest itself: compare it with what the replay
    printed, since whoever changes the folder could change the manifest too.

    Exit code 0 when all that was checked matches, 1 when something does not, is missing or was added, or is
    not signed as asked for, 2 when there is no manifest, or no key, that can be read.
    """
    with judging():
        with told_if_stopped("stopped before everything was checked"):
            from worker.commands.verifying import checks_of, signatures_or_exit, verdict
            from worker.replay.output.manifest import read_manifest
            from worker.replay.reading.evidence import EvidenceError

            begun = signatures_or_exit(again)
            try:
                manifest, sha256 = read_manifest(directory)
                checks = checks_of(directory, manifest, again, begun)
            except EvidenceError as error:
                exit_with(str(error), NOT_READ)
        sys.exit(verdict(checks, sha256))
