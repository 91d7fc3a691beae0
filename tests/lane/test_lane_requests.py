"""Whichever request is lost, late, cut off or refused: each record is answered once, in order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lane.driver import Case
from tests.lane.histories import resumed, short
from tests.lane.search import on_every_request
from tests.lane.wire import Fault

FEWEST_REQUESTS = 20


@pytest.mark.parametrize("history", [short, resumed])
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
def test_whichever_request_meets_it_each_record_is_answered_once(
    history: Callable[[], Case], fault: Fault
) -> None:
    search = on_every_request(history(), fault)
    print(f"{history.__name__}, {fault.name}: {search}")  # noqa: T201  pytest shows it with -rP
    assert search.runs >= FEWEST_REQUESTS
    assert not search.found, str(search)


@pytest.mark.parametrize(
    "fault",
    [Fault.LOST, Fault.UNANSWERED, Fault.ARRIVES_LATE, Fault.FAILS],
    ids=lambda fault: fault.name.lower(),
)
def test_a_lane_in_doubt_begins_again(fault: Fault) -> None:
    assert on_every_request(short(), fault).events["lane begins again"]
