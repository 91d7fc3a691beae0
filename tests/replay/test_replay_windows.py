"""A window is compared alone: what came before it is history, what comes behind it is another's."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import orjson
import pytest

from tests.replay.replaykit import Case, made_up, replayed
from worker.replay.reading.window import Bounds, Moment, Offset

EVENTS = 300
BEGIN, END = 100, 200


@pytest.fixture(scope="module")
def case() -> Case:
    return made_up(EVENTS, seed=4, members=30)


def causes(case: Case) -> list[int]:
    """Of each result the line of the event that it names."""
    lines = {orjson.loads(event).get("id"): line for line, event in reversed(list(enumerate(case.events)))}
    return [lines[orjson.loads(value)["cause"]["id"]] for value in case.results]


def of_window(case: Case) -> list[int]:
    """Places of the results of events between BEGIN and END."""
    return [place for place, line in enumerate(causes(case)) if BEGIN <= line < END]


WITHIN = Bounds(Offset(BEGIN), Offset(END))


@pytest.mark.parametrize("parts", [1, 3])
def test_what_is_before_and_behind_the_window_is_not_counted(tmp_path: Path, case: Case, parts: int) -> None:
    found = replayed(tmp_path, case, parts=parts, within=WITHIN)
    assert found.rows == []
    assert found.counts.reproduced == found.counts.results_published == len(of_window(case))
    assert found.counts.events_replayed == END - BEGIN
    assert found.counts.events_warmed_up == BEGIN


def test_results_of_the_window_alone_are_enough(tmp_path: Path, case: Case) -> None:
    """As an archive that was begun with it; the events before it are there for their history."""
    only = Case(case.events, [case.results[place] for place in of_window(case)])
    found = replayed(tmp_path, only, within=WITHIN)
    assert found.rows == []
    assert found.counts.reproduced == len(only.results)


@pytest.mark.parametrize(
    ("where", "told"),
    [("before", {}), ("first", {"missing": 1}), ("last", {"missing": 1}), ("behind", {})],
)
def test_a_result_that_is_gone_is_told_of_the_window_only(
    tmp_path: Path, case: Case, where: str, told: dict[str, int]
) -> None:
    within = of_window(case)
    place = {"before": within[0] - 1, "first": within[0], "last": within[-1], "behind": within[-1] + 1}[where]
    results = [value for number, value in enumerate(case.results) if number != place]
    assert replayed(tmp_path, Case(case.events, results), within=WITHIN).counts.results_by_cause == told


@pytest.mark.parametrize(
    ("where", "told"), [("before", {}), ("first", {"extra": 1}), ("last", {"extra": 1}), ("behind", {})]
)
@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_result_that_is_there_twice_is_told_of_the_window_only(
    tmp_path: Path, case: Case, where: str, told: dict[str, int], *, at_the_end: bool
) -> None:
    within = of_window(case)
    place = {"before": within[0] - 1, "first": within[0], "last": within[-1], "behind": within[-1] + 1}[where]
    results = list(case.results)
    results.insert(len(results) if at_the_end else place, results[place])
    assert replayed(tmp_path, Case(case.events, results), within=WITHIN).counts.results_by_cause == told


def test_a_window_of_time_asks_each_event_wherever_its_line_is(tmp_path: Path, case: Case) -> None:
    times = [orjson.loads(event).get("time") for event in case.events]
    moments = sorted(round(datetime.fromisoformat(time).timestamp() * 1000) for time in times if time)
    begin, end = moments[len(moments) // 3], moments[len(moments) // 2]
    found = replayed(tmp_path, case, within=Bounds(Moment(begin), Moment(end)))
    assert found.rows == []
    assert found.counts.events_replayed == sum(begin <= moment < end for moment in moments)
    assert found.counts.events_warmed_up == EVENTS - found.counts.events_replayed
