"""``mms-worker policy impact``: how many claims and lines other policies would change, and which."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.markup import escape
from rich.table import Table

from worker.commands.brokers import NOT_READ, exit_with
from worker.commands.console import literal, screen
from worker.commands.loading import USUAL_LIMITS, HistoryLimits
from worker.commands.replay_options import FILE_PARTS, Several, announce_phi, require_pyarrow
from worker.commands.verdicts import judging, telling_verdict, told_if_stopped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.commands.console import Output
    from worker.replay.output.summary import Summary
    from worker.replay.planning.plan import Asked, Plan
    from worker.replay.telling.differences import Example

NAMED = 20
"""Claims that are named on the screen; the tables have all."""


@Parameter(name="*")
@dataclass(frozen=True)
class InForce:
    """What claims are decided by now; None is what ships with the worker."""

    policies_dir: Annotated[
        Path | None, Parameter(env_var="MMS_POLICIES_DIR", help="Policies that are in force now.")
    ] = None
    codes_dir: Annotated[
        Path | None, Parameter(env_var="MMS_CODES_DIR", help="Code sets that are in force now.")
    ] = None
    payers_file: Annotated[
        Path | None, Parameter(env_var="MMS_PAYERS_FILE", help="Which payer uses which policy now.")
    ] = None


@Parameter(name="*")
@dataclass(frozen=True)
class Compared:
    """What to decide by instead: at least one of them."""

    policies: Annotated[Path | None, Parameter(help="New policies.")] = None
    codes: Annotated[Path | None, Parameter(help="New code sets.")] = None
    payers: Annotated[Path | None, Parameter(help="New file of which payer uses which policy.")] = None


NOW = InForce()
NOTHING = Compared()


def impact(  # noqa: PLR0913  an option each
    *,
    events: Annotated[
        tuple[Path, ...],
        Several,
        Parameter(help="Archived events, oldest first: JSON Lines, also .gz or .zst, or Parquet."),
    ],
    new: Compared = NOTHING,
    now: InForce = NOW,
    out: Annotated[
        Path | None, Parameter(help="A new folder for the report and the tables of all that differs.")
    ] = None,
    processes: Annotated[
        int | None,
        Parameter(validator=Number(gte=1), help="How many at a time; by default one for each core."),
    ] = None,
    resume: Annotated[bool, Parameter(negative="", help="Go on with what was interrupted in --out.")] = False,
    with_phi: Annotated[
        bool,
        Parameter(negative="", help="Put members, procedures, dates and amounts in the report. IT IS PHI."),
    ] = False,
    limits: HistoryLimits = USUAL_LIMITS,
) -> None:
    """Decide events by the policies in force and by new ones, and tell what would change.

    Names the first claims that change; with --out a report for people and tables of every line that differs.
    Exit code 0 whatever was found, 2 when events, policies or options do not allow to tell, 130 or 143 when
    it was interrupted.
    """
    with judging(), ExitStack() as stack:
        with told_if_stopped("stopped before anything was decided"):
            require_pyarrow()

            from worker.commands.replaying import Order, before_or_exit, carry_out_or_exit
            from worker.replay.planning.plan import Asked
            from worker.replay.running.processes import usable_cores

            if new == NOTHING:
                exit_with("give what to compare with: --policies, --codes or --payers", NOT_READ)
            if resume and out is None:
                exit_with("--resume needs --out: the folder of what was interrupted", NOT_READ)
            folder = out or Path(stack.enter_context(TemporaryDirectory(prefix="mms-impact-")))
            before = before_or_exit(folder, resume=resume)
            announce_phi(with_phi=with_phi and out is not None)
            asked = Asked(
                limits.limits,
                with_phi=with_phi,
                policies=new.policies,
                codes=new.codes,
                payers=new.payers,
                shards=None if before is None else before.shards,
            )
            plan = _plan_or_exit(events, asked, now)
        cores = processes or usable_cores()
        done = carry_out_or_exit(
            plan, Order(folder, before, tuple(sys.argv[1:]), cores, is_kept=out is not None)
        )
        with telling_verdict():
            _tell(screen(), done.summary, done.examples)
            if out is not None:
                screen().print(f"report    {escape(str(done.report))}", soft_wrap=True)


def _plan_or_exit(events: tuple[Path, ...], asked: Asked, now: InForce) -> Plan:
    from worker.commands.watching import reading_evidence
    from worker.replay.planning.basis import basis_at
    from worker.replay.planning.planned import planned_impact
    from worker.replay.reading.archives import FileSource
    from worker.replay.reading.evidence import EvidenceError

    parts = len(asked.shards) if asked.shards else FILE_PARTS
    try:
        base = basis_at(now.policies_dir, now.codes_dir, now.payers_file)
        with reading_evidence():
            return asyncio.run(planned_impact(FileSource(events, (), parts), asked, base))
    except EvidenceError as error:
        exit_with(str(error), NOT_READ)


def _tell(output: Output, summary: Summary, examples: Sequence[Example]) -> None:
    from worker.commands.replaying import claims_in_words

    counts = summary.counts
    told = sum(number for flows in counts.outcome_flows.values() for number in flows.values())
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    for name, number in (
        ("events", counts.events_replayed),
        ("decisions compared", told),
        ("decisions that change", counts.results_differing),
        *claims_in_words(counts),
        *(
            (f"lines with another {_WORDS[change]}", number)
            for change, number in counts.lines_by_change.items()
        ),
    ):
        table.add_row(name, f"{number:,}")
    output.print(table)
    _tell_flows(output, summary)
    named = dict.fromkeys(one.claim_id for one in examples if one.claim_id and _is_decided_otherwise(one))
    if named:
        first = [literal(claim_id) for claim_id in list(named)[:NAMED]]
        rest = counts.claims_decided_otherwise - len(first)
        more = f" and {rest:,} more" if rest else ""
        output.print(f"decided otherwise: {' '.join(first)}{more}", soft_wrap=True)


def _is_decided_otherwise(example: Example) -> bool:
    """Whether more than reasons differ, as far as a shown claim tells."""
    sides = [
        None
        if side is None
        else (
            side.outcome,
            [(line.decision, line.units_allowed, line.adjustments, line.asked) for line in side.lines],
        )
        for side in (example.before, example.after)
    ]
    return sides[0] != sides[1]


_WORDS = {
    "decision": "decision",
    "units": "number of units",
    "adjustments": "reason code",
    "documentation": "question for records",
    "reasons": "reason",
    "result": "result on one side only",
    "bytes": "encoding",
}


def _tell_flows(output: Output, summary: Summary) -> None:
    flows = [
        (before, after, number)
        for before, others in summary.counts.outcome_flows.items()
        for after, number in others.items()
        if before != after
    ]
    if not flows:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("outcome now")
    table.add_column("then")
    table.add_column("decisions", justify="right")
    for before, after, number in sorted(flows, key=lambda flow: -flow[2]):
        table.add_row(before.replace("_", " "), after.replace("_", " "), f"{number:,}")
    output.print(table)
