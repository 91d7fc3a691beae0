"""Costs as tables: parts are set in under their whole, and a target stands beside what it is for."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from tests.bench.core.costs import Cost, Costs

HEAD = ("spread", "target", "aim", "met")


def for_terminal(found: Costs) -> Table:
    table = Table(title=found.title, title_justify="left", box=None)
    table.add_column("")
    table.add_column("CPU µs", justify="right")
    for name in HEAD:
        table.add_column(name, justify="right")
    for cost in found.costs:
        table.add_row(Text("  " * cost.depth + cost.name), *_cells(cost))
    return table


def in_markdown(found: Costs) -> str:
    rows = [
        (found.title, "CPU µs", *HEAD),
        ("---", *["---:"] * (len(HEAD) + 1)),
        *(("&emsp;" * cost.depth + cost.name, *_cells(cost)) for cost in found.costs),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(cost: Cost) -> tuple[str, ...]:
    met = {None: "", True: "yes", False: "no"}[cost.is_met]
    spread = f"{cost.low:.1f} to {cost.high:.1f}"
    return f"{cost.median:.1f}", spread, _limit(cost.target), _limit(cost.aim), met


def _limit(value: float | None) -> str:
    return "" if value is None else f"≤ {value:g}"
