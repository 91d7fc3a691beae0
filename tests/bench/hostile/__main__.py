"""What members cost who keep the contract and mean harm: printed, never asserted.

Run ``python -m tests.bench.hostile [--events 10000] [--only "one day,voids"] [--budget 300]``; in the tree
with the compiled rules, which ``make compiled`` makes, for those. In this process, on one core: decode,
adjudicate with the member's stored history, encode the results. Times are of the processor.
"""

from __future__ import annotations

import gc
import os
from argparse import ArgumentParser

from rich.console import Console
from rich.table import Table

from tests.bench.hostile.measuring import Span, spans, told
from tests.bench.hostile.shapes import SHAPES
from tests.bench.scaling.cores import is_compiled, machine
from worker.adjudication import Limits
from worker.reference import load_reference

WIDTH = 120
NAME_WIDTH = 26
COLUMNS = ("events", "p50 ms", "p99 ms", "worst ms", "state KiB", "results", "KiB", "refused")


def main() -> None:
    parser = ArgumentParser(prog="python -m tests.bench.hostile", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="of each member")
    parser.add_argument("--only", default=",".join(SHAPES), help="kinds of members, with commas between")
    parser.add_argument("--budget", type=float, default=300, help="processor seconds for each member")
    options = parser.parse_args()
    if unknown := set(options.only.split(",")) - set(SHAPES):
        parser.error(f"no such member: {', '.join(sorted(unknown))}; there are {', '.join(SHAPES)}")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    reference = load_reference()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    ends = [end for end in (10, 100, 1000) if end < options.events] + [options.events]
    for name in options.only.split(","):
        with console.status(name):
            found = list(spans(told(SHAPES[name], reference, Limits()), ends, options.budget))
        table = Table(name, *COLUMNS, box=None, min_width=WIDTH - 10)
        table.columns[0].width = NAME_WIDTH
        for span in found:
            table.add_row("", *row(span))
        console.print(table)
    rules = "compiled rules" if is_compiled() else "rules in Python"
    console.print(f"{rules}, {machine()}, load average {os.getloadavg()[0]:.1f}", style="dim")


def row(span: Span) -> list[str]:
    """A span as the table has it; results and their size are the most of one event."""
    return [
        f"{span.events:,}",
        *(f"{seconds * 1000:,.1f}" for seconds in (span.median, span.p99, span.worst)),
        f"{span.state / 1024:,.0f}",
        f"{span.results:,}",
        f"{span.results_bytes / 1024:,.0f}",
        f"{span.rejected:,}",
    ]


if __name__ == "__main__":
    main()
