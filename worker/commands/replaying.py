"""Carries a planned replay out, for commands: processes, outputs, what a person is told, and how it ends."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from rich.markup import escape
from rich.table import Table

from worker.adjudication.redacted import redacted
from worker.commands.brokers import NOT_READ, exit_with
from worker.commands.console import screen
from worker.commands.faults import tell_if_heard
from worker.commands.verdicts import telling_verdict
from worker.commands.watching import watching
from worker.replay.output.concluding import conclude
from worker.replay.output.manifest import REPORT, Run
from worker.replay.output.report.phrases import some
from worker.replay.output.summing import add_up, shown
from worker.replay.reading.evidence import EvidenceError
from worker.replay.running.folder import found, working_in
from worker.replay.running.processes import ShardFailedError, StoppedError, replay_shard, replay_shards
from worker.replay.running.working import STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from worker.replay.output.summary import Summary
    from worker.replay.planning.plan import Plan
    from worker.replay.running.folder import Begun
    from worker.replay.running.processes import Work
    from worker.replay.telling.differences import Example
    from worker.replay.telling.outcome import Counts

DIFFERS = 1
"""Exit code where a result was not reproduced."""
GO_ON = "the same command with --resume goes on from there"


@dataclass(frozen=True)
class Order:
    """How a replay is carried out: nothing of it decides what is found."""

    out: Path
    before: Begun | None
    """The interrupted replay to go on with."""
    command: tuple[str, ...]
    """What stood behind the program's name."""
    processes: int
    lines: bool = False
    """Whether progress is told a line at a time where there is no terminal."""
    is_kept: bool = True
    """Whether the folder stays when the replay is stopped, to be gone on with."""

    @property
    def left(self) -> str:
        """What there is to go on with after the replay was stopped."""
        if not self.is_kept:
            return "without --out nothing is put aside"
        return f"what was done is put aside: {GO_ON}"


def before_or_exit(out: Path, *, resume: bool) -> Begun | None:
    """What is to be gone on with in the folder, None for a new replay; exit 2 where neither can be."""
    try:
        return found(out, resume=resume)
    except EvidenceError as error:
        exit_with(str(error), NOT_READ)


@redacted
class Done(NamedTuple):
    """A replay that was carried out."""

    summary: Summary
    examples: Sequence[Example]
    manifest_sha256: str
    report: Path


def replay_or_exit(
    plan: Plan, order: Order, work: Work = replay_shard, heard: Callable[[Summary], None] | None = None
) -> NoReturn:
    """Replay, write all outputs, tell what was found, ``heard`` first, and exit.

    Exit code 0 when nothing differs, 1 when something does, others as ``carry_out_or_exit``.
    """
    done = carry_out_or_exit(plan, order, work)
    if heard is not None:
        heard(done.summary)
    with telling_verdict():
        _tell(done)
    sys.exit(0 if done.summary.verdict == "reproduced" else DIFFERS)


def carry_out_or_exit(plan: Plan, order: Order, work: Work = replay_shard) -> Done:
    """Replay and write all outputs.

    Exits with 2 when the evidence, the brokers or the folder do not allow it, with 128 and the signal's
    number when one has stopped it.
    """
    try:
        return _carried_out(plan, order, work)
    except EvidenceError as error:
        exit_with(str(error), NOT_READ)
    except ShardFailedError as error:
        exit_with(f"{error}; {order.left}", NOT_READ)
    except StoppedError as stopped:
        exit_with(f"stopped, and {order.left}", 128 + stopped.number)
    except SystemExit:  # a signal, and it was not waited for what was being done
        aside = f"; what was put aside before is still there: {GO_ON}"
        is_there = order.is_kept and (order.out / STATE).exists()
        tell_if_heard(f"mms-worker: stopped at once{aside if is_there else ''}")
        raise


def _carried_out(plan: Plan, order: Order, work: Work) -> Done:
    run = Run(_now(), order.command)
    with working_in(order.out, plan, order.before, run) as runs:
        with watching(lines=order.lines) as watch:
            outcomes = replay_shards(plan, order.out, order.processes, watch, work)
        summary, sha256 = conclude(order.out, plan, outcomes, runs, _now)
    return Done(summary, shown(outcomes), sha256, order.out / REPORT)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tell(done: Done) -> None:
    summary, counts = done.summary, done.summary.counts
    output = screen()
    output.print(_verdict(summary), highlight=False, soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    for name, number in (
        ("events before the window", counts.events_warmed_up),
        ("events replayed", counts.events_replayed),
        ("events rejected", sum(counts.events_rejected.values())),
        *([("events undecidable", counts.events_undecidable)] if counts.events_undecidable else []),
        ("results published", counts.results_published),
        ("results decided", counts.results_decided),
        ("reproduced", counts.reproduced),
        *((cause.replace("_", " "), number) for cause, number in sorted(counts.results_by_cause.items())),
        *(claims_in_words(counts) if summary.kind == "what-if" else ()),
    ):
        table.add_row(name, f"{number:,}")
    output.print(table)
    output.print(f"report    {escape(str(done.report))}", highlight=False, soft_wrap=True)
    output.print(f"manifest  SHA-256 {done.manifest_sha256}", highlight=False, soft_wrap=True)


def claims_in_words(counts: Counts) -> tuple[tuple[str, int], ...]:
    """How many claims differ, by whether more than their reasons does."""
    return (
        ("claims decided otherwise", counts.claims_decided_otherwise),
        ("claims with other reasons only", counts.claims_differing - counts.claims_decided_otherwise),
    )


def _verdict(summary: Summary) -> str:
    counts = summary.counts
    if summary.verdict == "reproduced":
        return "[bold green]reproduced[/]: every published result"
    if summary.kind == "replay" and not counts.results_differing and not add_up(counts):
        return (
            f"[bold red]counts do not add up[/]: {counts.results_published:,} published, "
            f"{counts.results_decided:,} decided and {counts.reproduced:,} reproduced, though none differs; "
            "this is a fault of the program"
        )
    return f"[bold red]differs[/]: {some(counts.results_differing, 'result')}"
