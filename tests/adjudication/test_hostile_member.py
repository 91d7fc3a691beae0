"""A member who keeps the contract and means harm costs no more than the limits allow: counted, not timed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import islice
from types import FrameType
from typing import Any

import pytest

from tests.adjudication.historykit import reference
from tests.bench.hostile.measuring import Event, told
from tests.bench.hostile.shapes import SHAPES, star
from worker.adjudication import Limits, member
from worker.adjudication.claim import MAX_LINES, Claim, Line
from worker.adjudication.enrich import enrich
from worker.adjudication.service import Service

SMALL = Limits(max_bytes=64 << 10, max_day_lines=100)
"""Limits that a member of a few hundred events has come to."""
EVENTS = 300
MANY = 10_000
LINE_BYTES = 30
"""A line takes more than that of a history: its codes, its date and the mark of what was said of it."""
DRAWS = 12
"""How often at most a day is decided for one event: with those that lapse, and claims that reach further."""


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines were drawn to be decided, counted up."""
    count = [0]

    def counted(claim: Claim, line: Line, *rest: Any) -> Service:
        count[0] += 1
        return enrich(claim, line, *rest)

    monkeypatch.setattr(member, "enrich", counted)
    return count


def each(shape: str, limits: Limits, looked_at: list[int], events: int) -> Iterator[tuple[Event, int]]:
    """Every event, and how many lines were looked at for it."""
    for one in islice(told(SHAPES[shape], reference(), limits, clock=lambda: 0.0), events):
        yield one, looked_at[0]
        looked_at[0] = 0


def assert_is_bounded(one: Event, lines: int, limits: Limits) -> None:
    held = 2 * limits.max_bytes // LINE_BYTES
    assert one.state <= 2 * limits.max_bytes
    assert one.results <= limits.max_day_lines + 2
    assert lines <= DRAWS * (held + MAX_LINES)


@pytest.mark.parametrize("shape", SHAPES)
def test_state_results_and_lines_of_an_event_are_bounded(shape: str, looked_at: list[int]) -> None:
    for one, lines in each(shape, SMALL, looked_at, EVENTS):
        assert_is_bounded(one, lines, SMALL)


def steps(work: Callable[[], object]) -> int:
    """Lines of ``member.py`` that Python executes for some work."""
    count = 0

    def called(frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        return stepped if frame.f_code.co_filename == member.__file__ else None

    def stepped(frame: FrameType, event: str, arg: object) -> Callable[..., Any]:
        nonlocal count
        count += event == "line"
        return stepped

    before = sys.gettrace()
    sys.settrace(called)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def test_a_day_that_turns_costs_as_much_as_the_lines_of_its_claims_not_as_they_times_their_days() -> None:
    """One event can make thousands of days be decided again, if claims of one day have lines on them."""
    claims = 30
    events = told(lambda: star(claims), reference(), Limits())
    for _ in islice(events, 1 + claims):
        pass
    turned: list[Event] = []
    taken = steps(lambda: turned.append(next(events)))
    assert turned[0].results == 1 + claims
    assert taken < 50 * claims * MAX_LINES


@pytest.mark.soak
@pytest.mark.parametrize("shape", SHAPES)
def test_ten_thousand_events_of_a_member_are_bounded(shape: str, looked_at: list[int]) -> None:
    limits = Limits()
    for one, lines in each(shape, limits, looked_at, MANY):
        assert_is_bounded(one, lines, limits)
