"""What a claim costs, stage by stage, in processor time: printed beside what it should be, never asserted.

Run ``python -m tests.bench.core [--rounds 7] [--only claims,mixed,shell]`` in the tree with the compiled
rules, which ``make compiled`` makes; or with ``--uncompiled`` in the checkout, for the rules as Python runs
them. What is measured runs on the first core, Kafka and the bench on the second. All rounds are written to
``build/bench/core.json``; ``--markdown`` measures nothing, and prints that file as tables of markdown.
"""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from tests.bench.core import claims, costs, mixed, shell
from tests.bench.core.costs import Costs, Measured
from tests.bench.core.tables import for_terminal, in_markdown
from tests.bench.inputs import BUILD
from tests.bench.scaling.cores import CORES, is_compiled, machine

PARTS: Mapping[str, Callable[[Namespace], list[Costs]]] = {
    "claims": lambda options: claims.measure(options.rounds),
    "mixed": lambda options: mixed.measure(options.rounds),
    "shell": lambda options: shell.measure(options.rounds, options.claims),
}
WIDTH = 120
"""Columns of the tables where nothing says how many there are."""


def main() -> None:
    parser = ArgumentParser(prog="python -m tests.bench.core", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--claims", type=int, default=100_000, help="how many a worker is given on Kafka")
    parser.add_argument("--only", type=_names, default=list(PARTS), help="parts, with commas between")
    parser.add_argument("--uncompiled", action="store_true", help="the rules as Python runs them")
    parser.add_argument("--out", type=Path, help="build/bench/core.json, or core-uncompiled.json")
    parser.add_argument("--markdown", action="store_true", help="print what was measured before")
    options = parser.parse_args()
    if min(options.rounds, options.claims) < 1:
        parser.error("there must be one at least of rounds and claims")
    file = options.out or BUILD / ("core-uncompiled.json" if options.uncompiled else "core.json")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    if not options.markdown:
        if is_compiled() == options.uncompiled:
            parser.error(
                "the rules here are compiled: run this in the checkout"
                if options.uncompiled
                else "the rules here are not compiled: run `make compiled`, and then this in build/compiled"
            )
        for part in options.only:
            measure(part, file, options, console)
    found = costs.read(file)
    for part in options.only:
        if part in found:
            show(found[part], console, is_markdown=options.markdown)


def _names(given: str) -> list[str]:
    names = given.split(",")
    if unknown := set(names) - set(PARTS):
        raise ArgumentTypeError(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return names


def measure(part: str, file: Path, options: Namespace, console: Console) -> None:
    """Measure one part, and put it in the file in the place of what was there."""
    if len(CORES) < 2:
        console.print("there is one core: what is measured shares it with broker and bench")
    load, began = os.getloadavg()[0], time.monotonic()
    with console.status(f"measuring {part}"):
        tables = PARTS[part](options)
    one = Measured(tables, machine(), options.rounds, round(time.monotonic() - began, 1), load)
    found = {**costs.read(file), part: one}
    costs.write({known: found[known] for known in PARTS if known in found}, file)


def show(found: Measured, console: Console, *, is_markdown: bool) -> None:
    for table in found.tables:
        if is_markdown:
            console.print(f"{in_markdown(table)}\n", markup=False, soft_wrap=True)
            continue
        console.print(for_terminal(table))
        for note in table.notes:
            console.print(note, style="dim", markup=False)
        console.print()
    if not is_markdown:
        here, rules = found.machine, "compiled" if found.machine.is_compiled else "not compiled"
        console.print(
            f"median and spread of {found.rounds} rounds, {found.seconds:.0f} s on {here.cores} cores "
            f"({here.processor}), rules {rules}, load average {found.load_average:.1f} before\n",
            style="dim",
        )


if __name__ == "__main__":
    main()
