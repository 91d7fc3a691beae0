"""How cost grows with claims, lines, partitions, members and workers: printed and drawn, never asserted.

Run ``python -m tests.bench.scaling [--only claims,lines,partitions,members,workers] [--quick]`` where the
rules are compiled. Each figure is a table, an entry of ``build/bench/scaling.json`` and a chart beside this
file. ``--quick`` shows whether it runs: smaller, fewer repetitions, and all that it writes is in
``build/bench/quick``. ``--charts-only`` draws anew what was measured before, ``--markdown`` prints it as
tables of markdown.
"""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from tests.bench.inputs import BUILD
from tests.bench.scaling import charts, claims, figures, lines, members, partitions, workers
from tests.bench.scaling.cores import CORES, is_compiled, machine
from tests.bench.scaling.figures import Figure, Measured
from tests.bench.scaling.tables import for_terminal, in_markdown

MEASURES: Mapping[str, Callable[..., Figure]] = {
    "claims": claims.measure,
    "lines": lines.measure,
    "partitions": partitions.measure,
    "members": members.measure,
    "workers": workers.measure,
}
HERE = Path(__file__).parent


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=_names, default=list(MEASURES), help="figures, with commas between")
    parser.add_argument("--quick", action="store_true", help="show that it runs; measures nothing well")
    parser.add_argument("--charts-only", action="store_true", help="draw what was measured before")
    parser.add_argument("--markdown", action="store_true", help="print what was measured before")
    options = parser.parse_args()
    console = Console(highlight=False)
    home = BUILD / "quick" if options.quick else BUILD
    drawn = home if options.quick else HERE
    if not (options.charts_only or options.markdown):
        for name in options.only:
            measure(name, home / "scaling.json", console, is_quick=options.quick)
    found = {name: one for name, one in figures.read(home / "scaling.json").items() if name in options.only}
    for name, one in found.items():
        if not options.markdown:
            charts.draw(one.figure, drawn / f"{name}.svg")
    show(found, console, is_markdown=options.markdown)


def _names(given: str) -> list[str]:
    names = given.split(",")
    if unknown := set(names) - set(MEASURES):
        raise ArgumentTypeError(
            f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}"
        )
    return names


def measure(name: str, file: Path, console: Console, *, is_quick: bool) -> None:
    """Measure one figure, and put it in the file in the place of what was there."""
    if not is_compiled():
        console.print("the rules are not compiled here: run this in the tree that `make compiled` makes")
    if len(CORES) < 2:
        console.print("there is one core: worker, broker and bench share it")
    load, began = os.getloadavg()[0], time.monotonic()
    with console.status(f"measuring {name}"):
        figure = MEASURES[name](is_quick=is_quick)
    one = Measured(figure, machine(), round(time.monotonic() - began, 1), load, is_quick)
    found = {**figures.read(file), name: one}
    figures.write({known: found[known] for known in MEASURES if known in found}, file)


def show(found: Mapping[str, Measured], console: Console, *, is_markdown: bool) -> None:
    for name, one in found.items():
        if is_markdown:
            console.print(f"{in_markdown(one.figure)}\n", markup=False, soft_wrap=True)
            continue
        console.print(for_terminal(one.figure))
        compiled = "compiled" if one.machine.is_compiled else "not compiled"
        console.print(
            f"{name}: {one.seconds:.0f} s on {one.machine.cores} cores ({one.machine.processor}), rules "
            f"{compiled}, load average {one.load_average:.1f} before\n",
            style="dim",
            soft_wrap=True,
        )


if __name__ == "__main__":
    main()
