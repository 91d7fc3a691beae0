"""How fast members' histories are folded, and how large they get: printed, never asserted.

Run ``python -m tests.bench.history [--events 1000000] [--members 200000]``. In this process, on one core:
decode, adjudicate with the member's stored history, encode the results. The events are generated once and
kept under ``build/bench``.
"""

from __future__ import annotations

import gc
import os
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable
from resource import RUSAGE_SELF, getrusage
from time import monotonic, process_time
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from tests.bench.adjudicate import RSS_UNIT
from tests.bench.inputs import SEED, kept
from worker.adjudication import Reference, Rejected, adjudicate, decode, encode
from worker.devkit.generator import histories
from worker.reference import load_reference


class Folded(NamedTuple):
    """What the events came to."""

    states: dict[bytes, bytes]
    """The stored history of each member."""
    results: int
    again: Counter[str]
    """Results of claims decided again, by what kind of event made them so."""
    rejected: Counter[str]
    evicted: int
    largest: int
    """Bytes of the largest history that any member had at any time."""


class Spent(NamedTuple):
    """What folding took: CPU and wall seconds, and growth of the peak resident memory in bytes."""

    cpu: float
    wall: float
    resident: int


def fold(lines: Iterable[bytes], reference: Reference) -> Folded:
    """Fold every event into its member's history."""
    states: dict[bytes, bytes] = {}
    again: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    results = evicted = largest = 0
    for line in lines:
        event = decode(line)
        if isinstance(event, Rejected):
            rejected[event.reason] += 1
            continue
        member = event.data.member_id.encode()
        answer = adjudicate(event, states.get(member), reference)
        if isinstance(answer, Rejected):
            rejected[answer.reason] += 1
            continue
        for result in answer.results:
            encode(result)
        results += len(answer.results)
        again[answer.change] += answer.again
        evicted += answer.evicted
        if answer.history is not None:
            states[member] = answer.history
            largest = max(largest, len(answer.history))
    return Folded(states, results, again, rejected, evicted, largest)


def measured(lines: Iterable[bytes], reference: Reference) -> tuple[Folded, Spent]:
    """Fold, and what it took."""
    resident, wall, cpu = peak_resident(), monotonic(), process_time()
    folded = fold(lines, reference)
    return folded, Spent(process_time() - cpu, monotonic() - wall, peak_resident() - resident)


def peak_resident() -> int:
    return getrusage(RUSAGE_SELF).ru_maxrss * RSS_UNIT


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--members", type=int, default=200_000)
    options = parser.parse_args()
    console = Console(highlight=False)
    with console.status("generating events"):
        name = f"histories-{options.events}-{options.members}"
        file = kept(name, histories(options.events, SEED, options.members))
    reference = load_reference()
    gc.freeze()  # as the commands that fold do
    gc.set_threshold(100_000, 20, 20)
    with console.status("folding"), file.open("rb") as lines:
        folded, spent = measured(lines, reference)
    members = len(folded.states)
    console.print(
        f"{options.events:,} events of {members:,} members, {file.stat().st_size / 2**20:,.0f} MiB\n"
    )
    console.print(speed(options.events, spent))
    console.print(sizes(folded, spent))
    console.print(outcomes(folded))
    console.print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", style="dim")


def speed(events: int, spent: Spent) -> Table:
    table = Table("", "seconds", "events/s", box=None)
    table.add_row("CPU", f"{spent.cpu:.1f}", f"{events / spent.cpu:,.0f}")
    table.add_row("wall", f"{spent.wall:.1f}", f"{events / spent.wall:,.0f}")
    return table


def sizes(folded: Folded, spent: Spent) -> Table:
    """Bytes a member: of the stored history, and of resident memory with all that holds it."""
    stored = sorted(map(len, folded.states.values()))
    table = Table("bytes a member", "mean", "p50", "p99", "max", "max ever", box=None)
    mean, half, most = sum(stored) / len(stored), stored[len(stored) // 2], stored[len(stored) * 99 // 100]
    table.add_row(
        "stored history", *(f"{size:,.0f}" for size in (mean, half, most, stored[-1], folded.largest))
    )
    table.add_row("resident memory", f"{spent.resident / len(stored):,.0f}")
    return table


def outcomes(folded: Folded) -> Table:
    table = Table("results", f"{folded.results:,}", box=None)
    for change, count in folded.again.most_common():
        table.add_row(f"decided again by {change}", f"{count:,}")
    for reason, count in folded.rejected.most_common():
        table.add_row(f"dead letters, {reason}", f"{count:,}")
    table.add_row("claims evicted by look-back", f"{folded.evicted:,}")
    return table


if __name__ == "__main__":
    main()
