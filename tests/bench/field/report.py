"""The comparison as tables for people and as a file for machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from tests.bench.field.contestants import OURS
from tests.bench.field.latency import Latency
from tests.bench.field.machine import Machine
from tests.bench.field.standing import Standing
from tests.bench.field.targets import LatencyTarget, Target, latency_line, lines
from tests.bench.field.throughput import Round

MIB = 2**20
BUSY = 0.95
"""Share of its core below which something else than its core has held a contestant up."""


class Comparison(Struct):
    """All of it, as the file has it."""

    date: str
    """When it began, in UTC."""
    commit: str | None
    """Of the checkout, with ``+changes`` if files differ from it; None where there is none."""
    are_rules_compiled: bool
    machine: Machine
    pinning: str
    events: int
    members: int
    partitions: int
    standings: list[Standing]
    targets: list[Target]
    latency_targets: list[LatencyTarget]
    rounds: list[Round]
    latencies: list[Latency]
    errors: list[str]
    notes: list[str]
    """What went wrong and changes no figure."""

    @property
    def is_sound(self) -> bool:
        """Whether everybody was measured, and wrote what it should."""
        return not self.errors and all(one.verdict.is_exact for one in self.rounds)


def show(found: Comparison, console: Console) -> None:
    """Print the tables and what they rest on."""
    here, rounds = found.machine, max((one.number for one in found.rounds), default=0)
    console.print(
        f"{found.events:,} events of {found.members:,} members at most, {found.partitions} partitions, "
        f"rounds: {rounds}\n"
    )
    console.print(_throughput(found.standings))
    console.print()
    for line in lines(found.targets):
        console.print(line, markup=False, soft_wrap=True)
    console.print()
    busy = max((one.broker_core + one.driver_core for one in found.rounds), default=0.0)
    sending = max((one.sending_s / one.seconds for one in found.rounds), default=0.0)
    _note(
        console,
        f"pinned: {found.pinning}, which were busy for {busy:.0%} of a run at most; sending took "
        f"{sending:.0%} of it at most. Median and spread over the rounds, which are interleaved. "
        f"(!): the contestant was busy for less than {BUSY:.0%}, and waited for something. Records are "
        "input records, from when the first is sent to when the last result is visible; start-up comes "
        "before, and records to warm up with. All but kafka_streams decide with the worker's own core; "
        "kafka_streams decides less, and of its output the causes alone are compared: one result of each.\n",
    )
    if found.latencies:
        console.print(_latency(found.latencies))
        _note(
            console,
            "milliseconds from when an event is due to be sent to when a read_committed consumer has a "
            "result of it. Generator and checker share a core with the broker. "
            f"Targets: {latency_line(found.latency_targets)}.\n",
        )
    for error in found.errors:
        console.print(error, markup=False, soft_wrap=True, style="red")
    for note in found.notes:
        _note(console, note)
    _note(
        console,
        f"{here.cpu}, {here.cores} cores, Linux {here.kernel}, load average before {here.load_average:.1f}; "
        f"Python {here.python}, librdkafka {here.librdkafka}, {here.broker}",
    )


def _note(console: Console, text: str) -> None:
    console.print(text, style="dim", markup=False, soft_wrap=True)


def _throughput(standings: Sequence[Standing]) -> Table:
    table = Table(box=None)
    for name in ("", "version", "delivers", "history in"):
        table.add_column(name, no_wrap=True)
    for name in ("records/s", "spread", "ours to it", "its spread", "CPU µs", "core", "broker", "peak MiB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("output")
    for one in standings:
        table.add_row(*_cells(one), style="bold" if one.name == OURS else "")
    return table


def _cells(one: Standing) -> list[str]:
    ratio = one.ours_to_it
    return [
        one.name,
        one.version,
        one.guarantee,
        one.history,
        f"{one.rate.median:,.0f}",
        f"{one.rate.least:,.0f} to {one.rate.most:,.0f}",
        "" if ratio is None else f"{ratio.median:.2f}",
        "" if ratio is None else f"{ratio.least:.2f} to {ratio.most:.2f}",
        f"{one.cpu_us.median:.1f}",
        ("(!) " if one.core.median < BUSY else "") + f"{one.core.median:.0%}",
        f"{one.broker_core.median:.0%}",
        f"{one.peak / MIB:.0f}",
        one.output,
    ]


def _latency(latencies: Sequence[Latency]) -> Table:
    table = Table(box=None)
    table.add_column("latency")
    for name in ("events/s", "results", "p50", "p95", "p99", "max", "sent late, p99"):
        table.add_column(name, justify="right")
    table.add_column("generator and checker")
    for one in latencies:
        figures = (one.p50, one.p95, one.p99, one.most, one.sent_late_p99)
        table.add_row(
            one.contestant,
            f"{one.rate:,.0f}",
            f"{one.results:,}",
            *(f"{figure:.1f}" for figure in figures),
            "kept up" if one.is_sound else "did not keep up",
            style="bold" if one.contestant == OURS else "",
        )
    return table


def write(found: Comparison, file: Path) -> None:
    """Write all of it as JSON, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    partial.replace(file)
