"""Whatever happens to a worker, at whatever step: each record is answered once, in order, by the oracle."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lane import deeds
from tests.lane.driver import ABORTED, Case, Deed, run
from tests.lane.histories import documented, resumed, short, slowly_marked, spoken_to
from tests.lane.search import at_every_step

FENCED = "fenced: all lanes dropped, joining again"
AGAIN = "lane begins again"
KEPT = "histories kept"
FEWEST_STEPS = 350
"""Below this the search would not be of every suspension of every task any more."""


def spoken_to_first() -> Case:
    """Where the cluster has not agreed to the second transaction protocol."""
    return spoken_to(short(), 1)


@pytest.mark.parametrize(
    ("history", "deed", "brings"),
    [
        (short, deeds.killed, ABORTED),
        (short, deeds.killed_with_its_requests, ABORTED),
        (short, deeds.stopped_until_all_is_done, FENCED),
        (short, deeds.stopped_alone, AGAIN),
        (short, deeds.replaced_unawares, FENCED),
        (short, deeds.handed_over_and_back, KEPT),
        (short, deeds.handed_over_for_a_moment, KEPT),
        (short, deeds.ended, "histories restored"),
        (slowly_marked, deeds.woken_between_markers, FENCED),
        (resumed, deeds.killed, ABORTED),
        (resumed, deeds.killed_before_compaction, ABORTED),
        (resumed, deeds.replaced_unawares, FENCED),
        (resumed, deeds.woken_at(20), FENCED),
        (documented, deeds.killed_with_its_requests, ABORTED),
        (spoken_to_first, deeds.killed, ABORTED),
        (spoken_to_first, deeds.replaced_unawares, FENCED),
        (spoken_to_first, deeds.stopped_until_all_is_done, FENCED),
    ],
)
def test_at_whatever_step_it_happens_each_record_is_answered_once(
    history: Callable[[], Case], deed: Deed, brings: str
) -> None:
    search = at_every_step(history(), deed)
    print(f"{history.__name__}, {deed.__name__}: {search}")  # noqa: T201  pytest shows it with -rP
    assert search.runs >= FEWEST_STEPS
    assert not search.found, str(search)
    assert search.events[brings], f"in {search.runs} runs never: {brings}"


@pytest.mark.parametrize("history", [short, slowly_marked, resumed, documented])
def test_a_run_is_the_same_each_time(history: Callable[[], Case]) -> None:
    once, again = run(history()), run(history())
    assert once == again
    assert once.violation is None
    assert not once.events[AGAIN], "nothing has gone wrong"


@pytest.mark.soak
@pytest.mark.parametrize("protocol", [1, 2])
@pytest.mark.parametrize("history", [short, slowly_marked, resumed, documented])
@pytest.mark.parametrize("deed", [*deeds.ALL, *map(deeds.woken_at, range(1, 40, 3))])
def test_at_whatever_step_and_moment_it_happens_each_record_is_answered_once(
    history: Callable[[], Case], deed: Deed, protocol: int
) -> None:
    search = at_every_step(spoken_to(history(), protocol), deed)
    assert not search.found, str(search)
