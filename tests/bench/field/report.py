"""The comparison as tables for people and as a file for machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from tests.bench.field.contestants import OURS, Contestant
from tests.bench.field.latency import Latency
from tests.bench.field.machine import Machine
from tests.bench.field.throughput import Round

MIB = 2**20


class Spread(Struct):
    """Of a figure over all rounds."""

    median: float
    least: float
    most: float


class Standing(Struct):
    """What a contestant came to over all its rounds."""

    name: str
    version: str
    guarantee: str
    history: str
    rate: Spread
    """Input records a second."""
    ours_to_it: Spread | None
    """The worker's rate to this one's, round by round; None where no round has both."""
    cpu_us: Spread
    """A record."""
    core: Spread
    broker_core: Spread
    peak: int
    output: str
    """How its results stand to those of the fold, in the first round that is not exact; and how it ended."""


class Comparison(Struct):
    """All of it, as the file has it."""

    machine: Machine
    pinning: str
    events: int
    members: int
    partitions: int
    standings: list[Standing]
    rounds: list[Round]
    latencies: list[Latency]
    errors: list[str]

    @property
    def is_sound(self) -> bool:
        """Whether everybody was measured, and wrote what it should."""
        return not self.errors and all(one.verdict.is_exact for one in self.rounds)


def standings(contestants: Sequence[Contestant], rounds: Sequence[Round]) -> list[Standing]:
    """Those contestants that have rounds, the fastest first."""
    ours = {one.number: one.rate for one in rounds if one.contestant == OURS}
    found = []
    for contestant in contestants:
        own = [one for one in rounds if one.contestant == contestant.name]
        if own:
            found.append(_standing(contestant, own, ours))
    return sorted(found, key=lambda one: -one.rate.median)


def _standing(contestant: Contestant, own: Sequence[Round], ours: Mapping[int, float]) -> Standing:
    def spread(of: Callable[[Round], float]) -> Spread:
        return _spread([of(one) for one in own])

    ratios = [ours[one.number] / one.rate for one in own if one.number in ours]
    exits = "".join(f", exit code {code}" for code in sorted({one.exit_code or 0 for one in own} - {0}))
    worst = next((one.verdict for one in own if not one.verdict.is_exact), own[0].verdict)
    return Standing(
        name=contestant.name,
        version=contestant.version(),
        guarantee=contestant.guarantee,
        history=contestant.history,
        rate=spread(lambda one: one.rate),
        ours_to_it=_spread(ratios) if ratios else None,
        cpu_us=spread(lambda one: one.cpu_us),
        core=spread(lambda one: one.core),
        broker_core=spread(lambda one: one.broker_core),
        peak=max(one.peak for one in own),
        output=f"{worst}{exits}",
    )


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))


def show(found: Comparison, console: Console) -> None:
    """Print the tables and what they rest on."""
    here, rounds = found.machine, max((one.number for one in found.rounds), default=0)
    console.print(
        f"{found.events:,} events of {found.members:,} members at most, {found.partitions} partitions, "
        f"rounds: {rounds}\n"
    )
    console.print(_throughput(found.standings))
    busy = max((one.broker_core + one.driver_core for one in found.rounds), default=0.0)
    sending = max((one.sending_s / one.seconds for one in found.rounds), default=0.0)
    _note(
        console,
        f"pinned: {found.pinning}, which were busy for {busy:.0%} of a run at most; sending took "
        f"{sending:.0%} of it at most. Median and spread over the rounds, which are interleaved. Records are "
        "input records, from when the first is sent to when the last result is visible; start-up comes "
        "before, and a fifth as many records to warm up. All but kafka_streams decide with the worker's own "
        "core; kafka_streams decides less, and of its output the number alone is compared.\n",
    )
    if found.latencies:
        console.print(_latency(found.latencies))
        _note(
            console,
            "milliseconds from when an event is due to be sent to when a read_committed consumer has a "
            "result of it. Generator and checker share a core with the broker.\n",
        )
    for error in found.errors:
        console.print(error, markup=False, soft_wrap=True, style="red")
    _note(
        console,
        f"{here.cpu}, {here.cores} cores, Linux {here.kernel}, load average before {here.load_average:.1f}; "
        f"Python {here.python}, librdkafka {here.librdkafka}, {here.broker}",
    )


def _note(console: Console, text: str) -> None:
    console.print(text, style="dim", soft_wrap=True)


def _throughput(standings: Sequence[Standing]) -> Table:
    table = Table(box=None)
    for name in ("", "version", "delivers", "history in"):
        table.add_column(name, no_wrap=True)
    for name in ("records/s", "spread", "ours to it", "CPU µs", "core", "broker", "peak MiB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("output")
    for one in standings:
        table.add_row(*_cells(one), style="bold" if one.name == OURS else "")
    return table


def _cells(one: Standing) -> list[str]:
    return [
        one.name,
        one.version,
        one.guarantee,
        one.history,
        f"{one.rate.median:,.0f}",
        f"{one.rate.least:,.0f} to {one.rate.most:,.0f}",
        "" if one.ours_to_it is None else f"{one.ours_to_it.median:.2f}",
        f"{one.cpu_us.median:.1f}",
        f"{one.core.median:.0%}",
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
    """Write all of it as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
