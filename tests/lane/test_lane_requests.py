"""Whichever request is lost, late, cut off or refused: each record is answered once, in order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lane.driver import Case
from tests.lane.histories import resumed, short, spoken_to
from tests.lane.search import on_every_request
from tests.lane.wire import Fault

FEWEST_REQUESTS = {1: 20, 2: 15}
"""By protocol, of those of transactions."""
AGAIN = "lane begins again"
JOINED_AGAIN = "membership failed, joining again"


@pytest.mark.parametrize("protocol", [1, 2])
@pytest.mark.parametrize("history", [short, resumed])
@pytest.mark.parametrize(
    ("fault", "brings"),
    [
        (Fault.LOST, AGAIN),
        (Fault.UNANSWERED, AGAIN),
        (Fault.ANSWERED_LATE, None),
        (Fault.ARRIVES_LATE, AGAIN),
        (Fault.CUT_BEFORE, JOINED_AGAIN),
        (Fault.CUT_AFTER, JOINED_AGAIN),
        (Fault.FAILS, AGAIN),
        (Fault.NOT_NOW, None),
    ],
    ids=lambda given: given.name.lower() if isinstance(given, Fault) else "",
)
def test_whichever_request_meets_it_each_record_is_answered_once(
    history: Callable[[], Case], fault: Fault, brings: str | None, protocol: int
) -> None:
    search = on_every_request(spoken_to(history(), protocol), fault)
    print(f"{history.__name__}, protocol {protocol}, {fault.name}: {search}")  # noqa: T201  pytest shows it with -rP
    assert search.runs >= FEWEST_REQUESTS[protocol]
    assert not search.found, str(search)
    came = [event for event in (AGAIN, JOINED_AGAIN) if search.events[event]]
    if brings is None:
        assert not came, "what a client tries again by itself is no doubt"
    else:
        assert brings in came, f"in {search.runs} runs never: {brings}"
