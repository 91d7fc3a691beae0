"""How far a replay has come, and what the person is told who waits for it."""

from __future__ import annotations

import multiprocessing

import pytest

from worker.commands.watching import Pace, in_words, pace
from worker.replay.reading.evidence import Shard, Span
from worker.replay.running.progress import Progress, Reached


def shard(number: int, begin: int, end: int) -> Shard:
    span = Span(begin, end)
    return Shard(number, span, span, end, span)


def test_what_shards_tell_adds_up() -> None:
    progress = Progress(multiprocessing.get_context("spawn"), [shard(0, 0, 100), shard(1, 1000, 1100)])
    first, second = progress.of(0), progress.of(1)
    first.advance(10, 1, 12)
    first.advance(10, 2, 25)
    second.resume(40, 4, 1050)
    second.advance(5, 0, 1060)
    assert progress.reached() == Reached(65, 7, 85, 200, resumed_events=40, resumed_places=50)
    assert not second.is_interrupted()
    progress.stop()
    assert first.is_interrupted()
    assert second.is_interrupted()


@pytest.mark.parametrize(("position", "places"), [(-1, 0), (0, 0), (99, 99), (100, 100), (101, 100)])
def test_a_shard_has_no_more_places_than_its_span(position: int, places: int) -> None:
    progress = Progress(multiprocessing.get_context("spawn"), [shard(0, 0, 100)])
    progress.of(0).advance(0, 0, position)
    assert progress.reached().places == places


PACES = {
    "half-way": (Reached(500, 0, 500, 1000, 0, 0), 10.0, Pace(0.5, 50.0, 10.0)),
    "resumed work is done, but takes no time": (
        Reached(900, 0, 900, 1000, 800, 800),
        10.0,
        Pace(0.9, 10.0, 10.0),
    ),
    "places without events": (Reached(100, 0, 500, 1000, 0, 0), 10.0, Pace(0.5, 10.0, 10.0)),
    "nothing yet": (Reached(0, 0, 0, 1000, 0, 0), 10.0, Pace(0.0, None, None)),
    "nothing but what was resumed": (Reached(9, 0, 10, 20, 9, 10), 10.0, Pace(0.5, None, None)),
    "nothing to do": (Reached(0, 0, 0, 0, 0, 0), 10.0, Pace(1.0, None, None)),
    "no time": (Reached(5, 0, 5, 10, 0, 0), 0.0, Pace(0.5, None, None)),
}


@pytest.mark.parametrize("name", PACES)
def test_the_pace_is_that_of_this_run(name: str) -> None:
    reached, elapsed, expected = PACES[name]
    assert pace(reached, elapsed) == expected


def test_a_line_tells_share_rate_time_left_and_differences() -> None:
    reached = Reached(612_334, 3, 612_334, 1_000_000, 0, 0)
    told = in_words(reached, Pace(0.612, 12_345.4, 31.4))
    assert told == "61 %, 612,334 events, 12,345 events/s, 0:00:31 left, 3 results differ"
    one = reached._replace(differing=1)
    assert in_words(one, Pace(0.999, None, None)) == "99 %, 612,334 events, 1 result differs"
