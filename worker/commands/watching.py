"""What a person who waits for a replay sees: a bar with rate and time left, or a line now and then."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from worker.commands.faults import tell_if_heard
from worker.replay.output.report.phrases import some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.replay.running.processes import Watch
    from worker.replay.running.progress import Reached

LINE_EVERY_S = 10.0
"""Time between two lines where no terminal can show a bar."""


class Pace(NamedTuple):
    """How fast this run is, whatever an earlier one has done."""

    share: float
    """Of the whole, from 0 to 1."""
    events_per_s: float | None
    """None while there is nothing to tell it by."""
    seconds_left: float | None


def pace(reached: Reached, elapsed_s: float) -> Pace:
    """The pace of a run that has come this far in ``elapsed_s`` seconds."""
    left = reached.places_in_all - reached.places
    share = reached.places / reached.places_in_all if reached.places_in_all else 1.0
    events, places = reached.events - reached.resumed_events, reached.places - reached.resumed_places
    if elapsed_s <= 0 or places <= 0:
        return Pace(share, None, None)
    return Pace(share, events / elapsed_s, left * elapsed_s / places)


@contextmanager
def reading_evidence() -> Iterator[None]:
    """A line where standard error is a terminal, as long as events and results are read to plan a replay."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status("reading events and results"):
        yield


@contextmanager
def watching(*, lines: bool) -> Iterator[Watch]:
    """A bar where standard error is a terminal; else a line every ten seconds, if ``lines`` are asked for."""
    begun = time.monotonic()
    if sys.stderr is not None and sys.stderr.isatty():
        with _bar(begun) as show:
            yield show
    elif lines:
        yield _lines(begun)
    else:
        yield lambda _: None


@contextmanager
def _bar(begun: float) -> Iterator[Watch]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("replaying"), BarColumn(), TextColumn("{task.fields[told]}", markup=False)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=1.0, told="")

        def show(reached: Reached) -> None:
            now = pace(reached, time.monotonic() - begun)
            bar.update(task, completed=now.share, told=in_words(reached, now))

        yield show


def _lines(begun: float) -> Watch:
    told = begun

    def show(reached: Reached) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= LINE_EVERY_S:
            told = now
            tell_if_heard(f"replaying {in_words(reached, pace(reached, now - begun))}")

    return show


def in_words(reached: Reached, now: Pace) -> str:
    """One line: ``61 %, 612,334 events, 12,345 events/s, 0:00:31 left, 0 results differ``."""
    words = [f"{int(now.share * 100)} %", f"{reached.events:,} events"]
    if now.events_per_s is not None and now.seconds_left is not None:
        words += [f"{now.events_per_s:,.0f} events/s", f"{timedelta(seconds=round(now.seconds_left))} left"]
    return ", ".join([*words, some(reached.differing, "result differs", "results differ")])
