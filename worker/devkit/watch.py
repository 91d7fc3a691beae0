"""The demo's moving part: results as they come, for a terminal or for a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from worker.devkit.tally import Tally

PLAIN_LINES = 5
"""Lines in a log from nothing to everything."""


@contextmanager
def watching(console: Console, tally: Tally) -> Iterator[Callable[[], None]]:
    """What to call whenever something came: moves a bar on a terminal, else prints a line now and then."""
    if not console.is_terminal:
        yield _plain(console, tally)
        return
    columns = (TextColumn("answers"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=tally.expected.answers)
        yield lambda: bar.update(task, completed=tally.answered, description=counts(tally))


def _plain(console: Console, tally: Tally) -> Callable[[], None]:
    due, total = 1, tally.expected.answers

    def show() -> None:
        nonlocal due
        if tally.answered * PLAIN_LINES >= due * total:
            due = tally.answered * PLAIN_LINES // total + 1
            console.print(f"        {tally.answered} of {total} answers: {counts(tally)}", soft_wrap=True)

    return show


def counts(tally: Tally) -> str:
    """The running counts, on one line."""
    parts = [f"{outcome} {count}" for outcome, count in tally.outcomes.most_common()]
    if tally.again:
        parts.append(f"decided again {tally.again.total()}")
    if tally.dead_letters:
        parts.append(f"dead letters {tally.dead_letters.total()}")
    return " · ".join(parts)
