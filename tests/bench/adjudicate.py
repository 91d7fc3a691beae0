"""How fast ``mms-worker adjudicate`` decides, and in how much memory: printed, never asserted.

Run ``python -m tests.bench.adjudicate [--claims 100000] [--runs 5]``. Each run is the real command as a
process of its own, its start included. The claims are generated once and kept under ``build/bench``.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from hashlib import sha256
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic
from typing import NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

from worker.devkit import claims as claims_package
from worker.devkit import generator

BUILD = Path(__file__).parents[2] / "build" / "bench"
SEED = 7
TARGET_PER_SECOND = 20_000
TARGET_MIB = 300
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in a unit of ``ru_maxrss``."""


class Run(NamedTuple):
    """One run of the command: CPU and wall seconds, and the peak resident memory in MiB."""

    cpu: float
    wall: float
    mib: float


def generated_claims(count: int) -> Path:
    """A file of generated claims; made again only when the generator has changed."""
    devkit = Path(generator.__file__).parent
    sources = [
        Path(generator.__file__),
        *Path(claims_package.__file__).parent.glob("*.py"),
        *devkit.glob("data/*"),
    ]
    version = sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()[:12]
    file = BUILD / f"claims-{count}-{SEED}-{version}.jsonl"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        with partial.open("wb") as out:
            out.writelines(orjson.dumps(event) + b"\n" for event in generator.events(count, SEED))
        partial.replace(file)
    return file


def run(file: Path, out: Path) -> Run:
    """Adjudicate the file once. Raises RuntimeError when the command fails."""
    command = [sys.executable, "-m", "worker", "adjudicate", str(file), "--out", str(out)]
    start = monotonic()
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(process, 0)
    wall = monotonic() - start
    if status != 0:
        raise RuntimeError(f"mms-worker adjudicate ended with {os.waitstatus_to_exitcode(status)}")
    return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * RSS_UNIT / 2**20)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    console = Console(highlight=False)
    with console.status("generating claims"):
        file = generated_claims(options.claims)
    with TemporaryDirectory() as directory, console.status("adjudicating"):
        out = Path(directory) / "results.jsonl"
        runs = [run(file, out) for _ in range(options.runs)]
        sizes = f"{file.stat().st_size / 2**20:.0f} MiB in, {out.stat().st_size / 2**20:.0f} MiB out"
    table = Table("run", "CPU s", "wall s", "claims/s by CPU", "claims/s by wall", "peak MiB", box=None)
    for number, one in enumerate(runs, 1):
        table.add_row(str(number), *cells(one, options.claims))
    middle = Run(*(median(values) for values in zip(*runs, strict=True)))
    table.add_row("median", *cells(middle, options.claims), style="bold")
    console.print(f"{options.claims:,} claims, {sizes}")
    console.print(table)
    console.print(f"target: {TARGET_PER_SECOND:,} claims/s on one core, below {TARGET_MIB} MiB")
    console.print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", style="dim")


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
