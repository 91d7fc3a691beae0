"""What a person reads of a run: its figures, its faults, its invariants."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from rich.console import Console
from rich.table import Table

import worker
from tests.chaos.faults import BROKER_KILLS, TRACKS, Fault, Kind
from tests.chaos.journal import Recovery, quantile
from tests.chaos.outcome import Outcome
from tests.chaos.verdict import SENTENCES
from worker.devkit.jars import kafka_jars, kafka_version

_RECOVERY = (
    "Recovery: until every partition has committed a record that came after the fault. Faults overlap, so it "
    "may be another one's; alone is one during which no other fault was kept up or recovered from."
)


def print_report(outcome: Outcome, console: Console) -> None:
    """The tables of a run."""
    console.print(_figures(outcome))
    console.print(_faults(outcome))
    console.print(_invariants(outcome))


def print_plan(tracks: Sequence[Sequence[Fault]], console: Console) -> None:
    """The faults of a plan in the order of their earliest moments."""
    table = Table("at", "fault", "lasts", "choice")
    for fault in sorted(fault for track in tracks for fault in track):
        lasts = f"{fault.lasts:.2f} s" if fault.lasts else ""
        table.add_row(f"{fault.at:.2f} s", fault.kind, lasts, f"{fault.choice:.4f}")
    console.print(table)


def versions() -> str:
    """What ran, in one line."""
    kafka = kafka_version(kafka_jars())
    python = platform.python_version()
    return f"worker {worker.__version__}, Kafka {kafka}, aiokafka {version('aiokafka')}, Python {python}"


def _figures(outcome: Outcome) -> Table:
    verdict = outcome.verdict
    published = verdict.results + verdict.dead_letters
    table = Table("what", "figure", title="Chaos", title_justify="left", show_header=False)
    kills = f", at least {outcome.options.kills} kills" if outcome.options.kills else ""
    for what, figure in (
        ("date", datetime.now(UTC).date().isoformat()),
        ("seed", str(outcome.options.seed)),
        ("asked for", f"{outcome.options.minutes:g} min{kills}"),
        ("took, with the drain", f"{outcome.seconds:.0f} s"),
        ("versions", versions()),
        ("kills", _kills(outcome)),
        ("brokers told to stop that had to be killed", f"{outcome.journal.forced:,}"),
        ("input records", f"{verdict.records:,}"),
        ("records of which the producer was told nothing", f"{outcome.unknown:,}"),
        ("results", f"{verdict.results:,}"),
        ("dead letters", f"{verdict.dead_letters:,}"),
        ("of both, seen by the concurrent consumer under load", f"{outcome.in_time:,} of {published:,}"),
        ("results written in transactions that were aborted", f"{outcome.aborted:,}"),
        ("changelog records written", f"{outcome.written:,}"),
        ("of them left by compaction", f"{outcome.left:,}"),
        *((f"said: {event}", f"{times:,}") for event, times in outcome.doubts.items()),
    ):
        table.add_row(what, figure)
    return table


def _kills(outcome: Outcome) -> str:
    faults = outcome.journal.faults
    of_brokers = sum(faults[kind] for kind in BROKER_KILLS)
    return f"{faults[Kind.WORKER_KILLED]} of workers, {of_brokers} of brokers"


def _faults(outcome: Outcome) -> Table:
    journal = outcome.journal
    table = Table(
        "fault", "times", "recovery p50", "p99", "alone", "p50", "p99",
        title="Faults", title_justify="left", caption=_RECOVERY, caption_justify="left",
    )  # fmt: skip
    for kind in (kind for track in TRACKS for kind in track.kinds):
        taken = [one for one in journal.recoveries if one.kind == kind]
        table.add_row(kind, str(journal.faults[kind]), *_recovery(taken))
    table.add_section()
    table.add_row("all", str(journal.faults.total()), *_recovery(journal.recoveries))
    return table


def _recovery(taken: Sequence[Recovery]) -> list[str]:
    """p50 and p99 of all; then how many were alone, and theirs."""
    alone = [one for one in taken if one.is_alone]
    return [*_quantiles(taken), str(len(alone)), *_quantiles(alone)]


def _quantiles(taken: Sequence[Recovery]) -> list[str]:
    seconds = [one.seconds for one in taken]
    return [_seconds(quantile(seconds, share)) for share in (0.5, 0.99)]


def _invariants(outcome: Outcome) -> Table:
    table = Table("invariant", "broken", "what is counted", title="Invariants", title_justify="left")
    for name, what in SENTENCES.items():
        table.add_row(name.replace("_", " "), str(getattr(outcome.verdict, name)), what)
        if name == "order_violations":
            within = outcome.verdict.member_order_violations
            table.add_row("… within a member", str(within), "those of them among the records of one member")
    what = "workers that ended by themselves or not in time, and what did not come about"
    table.add_row("run", str(len(outcome.faults)), what)
    table.add_row("unproven", str(len(outcome.unproven)), "what was not put to the proof")
    return table


def _seconds(seconds: float) -> str:
    return "-" if math.isnan(seconds) else f"{seconds:.1f} s"
