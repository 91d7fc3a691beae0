"""How fast ``mms-worker adjudicate`` decides, and in how much memory: printed, never asserted.

Run ``python -m tests.bench.adjudicate [--claims 100000] [--runs 5]``. Each run is the real command as a
process of its own, its start included. The claims are generated once and kept under ``build/bench``.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic
from typing import NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

from tests.bench.inputs import SEED, kept
from worker.devkit.generator import events, histories

TARGET_MIB = 300
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in a unit of ``ru_maxrss``."""


class Way(NamedTuple):
    """A way to run the command over a file of as many lines as the others, and the speed asked of it."""

    name: str
    file: Path
    options: tuple[str, ...]
    target: int
    """Events a second, on one core."""


class Run(NamedTuple):
    """One run of the command: CPU and wall seconds, and the peak resident memory in MiB."""

    cpu: float
    wall: float
    mib: float


class Stored(NamedTuple):
    """What is held in the end: members, and the bytes of their histories."""

    members: int
    bytes: int


def run(way: Way, directory: Path, *options: str) -> Run:
    """Adjudicate a file once. Raises RuntimeError when the command fails."""
    command = [sys.executable, "-m", "worker", "adjudicate", str(way.file)]
    command += ["--out", str(directory / "results.jsonl"), *way.options, *options]
    start = monotonic()
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(process, 0)
    wall = monotonic() - start
    if status != 0:
        raise RuntimeError(f"mms-worker adjudicate ended with {os.waitstatus_to_exitcode(status)}")
    return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * RSS_UNIT / 2**20)


def stored(way: Way, directory: Path) -> Stored:
    """What one more run holds of the file's members."""
    held = directory / "histories.jsonl"
    run(way, directory, "--histories", str(held))
    with held.open("rb") as lines:
        sizes = [orjson.loads(line)["bytes"] for line in lines]
    return Stored(len(sizes), sum(sizes))


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    console = Console(highlight=False)
    with console.status("generating claims"):
        claims = kept(f"claims-{options.claims}", events(options.claims, SEED))
        mingled = kept(f"mingled-{options.claims}", histories(options.claims, SEED))
    alone = Way("claims by themselves (--stateless)", claims, ("--stateless",), 20_000)
    together = Way("claims with their members' histories", claims, (), 12_000)
    mixed = Way("claims and all that becomes of them, with histories", mingled, (), 12_000)
    medians = {}
    with TemporaryDirectory() as name, console.status("adjudicating"):
        directory = Path(name)
        for way in (alone, together, mixed):
            runs = [run(way, directory) for _ in range(options.runs)]
            medians[way] = Run(*(median(values) for values in zip(*runs, strict=True)))
            size = way.file.stat().st_size / 2**20
            console.print(f"{way.name}: {options.claims:,} events, {size:.0f} MiB", soft_wrap=True)
            console.print(speed(runs, medians[way], options.claims))
            console.print(f"target: {way.target:,} a second on one core, below {TARGET_MIB} MiB\n")
        held = {way: stored(way, directory) for way in (together, mixed)}
    for way, one in held.items():
        each = f"{one.members:,} members, {one.bytes / one.members:,.0f} bytes stored for each"
        console.print(f"{way.name}: {each}", soft_wrap=True)
    growth = (medians[together].mib - medians[alone].mib) * 2**20 / held[together].members
    console.print(f"resident memory over that of --stateless: {growth:,.0f} bytes a member")
    console.print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", style="dim")


def speed(runs: Sequence[Run], middle: Run, count: int) -> Table:
    table = Table("run", "CPU s", "wall s", "a second by CPU", "a second by wall", "peak MiB", box=None)
    for number, one in enumerate(runs, 1):
        table.add_row(str(number), *cells(one, count))
    table.add_row("median", *cells(middle, count), style="bold")
    return table


def cells(one: Run, count: int) -> list[str]:
    return [
        f"{one.cpu:.2f}",
        f"{one.wall:.2f}",
        f"{count / one.cpu:,.0f}",
        f"{count / one.wall:,.0f}",
        f"{one.mib:.0f}",
    ]


if __name__ == "__main__":
    main()
