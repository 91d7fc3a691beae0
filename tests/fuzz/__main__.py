"""``python -m tests.fuzz``: every target, each in a process of its own, and a table of what it came to.

Exit code 0 when nothing was found; 1 with the inputs that broke something, which are kept below build/fuzz.
"""

from __future__ import annotations

import math
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.fuzz.running import BUILD, Run, merge, run
from tests.fuzz.table import ALL, TARGETS
from tests.fuzz.target import Target

WIDTH = 110
INPUTS = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it as these arguments ask, or those of the process; returns the exit code."""
    given = _given(arguments)
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    targets = [TARGETS[name] for name in given.target] if given.target else list(ALL)
    if given.merge:
        for target in targets:
            console.print(f"{target.name}: {merge(target, root=given.directory)} inputs are kept")
        return 0
    runs = fuzzed(
        targets, given.inputs, given.seconds, seed=given.seed, jobs=given.jobs, root=given.directory
    )
    console.print(table_of(runs))
    for one in runs:
        if not one.passed:
            _tell(one, console)
    return 0 if all(one.passed for one in runs) else 1


def fuzzed(
    targets: Sequence[Target],
    inputs: int,
    seconds: int | None = None,
    *,
    seed: int = 1,
    jobs: int = 2,
    root: Path = BUILD,
) -> list[Run]:
    """What targets come to with so many inputs of them all, each with its share; or with its ``seconds``."""
    shares = sum(target.share for target in targets)

    def one(target: Target) -> Run:
        wanted = -1 if seconds else math.ceil(inputs * target.share / shares)
        return run(target, wanted, seconds, seed=seed, root=root)

    with ThreadPoolExecutor(jobs) as at_once:
        return list(at_once.map(one, targets))


def table_of(runs: Sequence[Run]) -> Table:
    """What each target has come to, and the sum."""
    table = Table(title="Fuzzing: inputs tried, and what came of it")
    for column in (
        "target",
        "inputs",
        "edges",
        "features",
        "corpus",
        "slowest input",
        "peak memory",
        "found",
    ):
        table.add_column(column, justify="left" if column == "target" else "right")
    for one in runs:
        table.add_row(
            one.target,
            f"{one.inputs:,}",
            f"{one.edges:,}",
            f"{one.features:,}",
            f"{one.corpus:,}",
            f"{one.slowest_s * 1000:.1f} ms",
            f"{one.peak_mb} MB",
            "nothing" if one.passed else str(len(one.findings) or "ended"),
        )
    table.add_section()
    table.add_row("together", f"{sum(one.inputs for one in runs):,}")
    return table


def _tell(one: Run, console: Console) -> None:
    console.print(f"\n{one.target}: the process ended with this:\n{one.words}", markup=False)
    for finding in one.findings:
        console.print(f"{one.target}: kept {finding}", markup=False)


def _given(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", action="append", choices=TARGETS, help="this one; may be given again")
    parser.add_argument("--inputs", type=int, default=INPUTS, help="of all targets together")
    parser.add_argument("--seconds", type=int, help="of each target, in place of a number of inputs")
    parser.add_argument("--seed", type=int, default=1, help="libFuzzer's; the same one tries the same inputs")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time")
    parser.add_argument("--directory", type=Path, default=BUILD, help="where corpus and findings are kept")
    parser.add_argument("--merge", action="store_true", help="keep what earlier runs found as the corpus")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
