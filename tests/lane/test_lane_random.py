"""Long histories, batches of any size, and several things that go wrong in one run, drawn at random."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.lane import deeds
from tests.lane.driver import ABORTED, Deed, run
from tests.lane.histories import NO_CLAIM, case, generated
from tests.lane.wire import HOP_S, Fault
from tests.lane.world import RESULTS_FIRST, Manner
from tests.stream.streamkit import Input

WHOLE = 1000
"""Of the undisturbed run: what goes wrong is drawn as a share of it, so that the run is not over by then."""

FENCED = "fenced: all lanes dropped, joining again"
AGAIN = "lane begins again"
OFTEN = 5
"""In how many of the examples each of these must come, at least: they are the same ones each time."""

FIND = [Phase.explicit, Phase.generate]
"""Without shrinking: a run of many steps is long enough the first time."""


class Ordeal(NamedTuple):
    """A history, how it is served, and what goes wrong."""

    records: Sequence[Input]
    batch: int
    manner: Manner
    deeds: Sequence[tuple[int, Deed]]
    """At which share of the steps, in parts of ``WHOLE``."""
    faults: dict[int, Fault]
    """At which share of the requests."""

    def __repr__(self) -> str:
        done = [(share, deed.__name__) for share, deed in self.deeds]
        return f"{len(self.records)} records by {self.batch}, {self.manner}, {done}, {self.faults}"


@st.composite
def ordeals(draw: st.DrawFn) -> Ordeal:
    records = generated(draw(st.integers(1, 60)), draw(st.integers(1, 1000)), draw(st.integers(1, 6)))
    for place in draw(st.lists(st.integers(0, 60), max_size=6)):
        records.insert(place, draw(st.sampled_from([NO_CLAIM, *records])))
    shares = st.integers(0, WHOLE - 1)
    happens = st.tuples(shares, st.sampled_from(deeds.ALL) | st.builds(deeds.woken_at, st.integers(1, 60)))
    return Ordeal(
        records,
        draw(st.integers(1, 20)),
        Manner(
            draw(st.integers(1, 30)),
            draw(st.sampled_from([HOP_S, 0.03, 0.1])),
            tuple(draw(st.permutations(RESULTS_FIRST))),
            draw(st.sampled_from([1, 2])),
        ),
        sorted(draw(st.lists(happens, min_size=1, max_size=5)), key=lambda one: one[0]),
        draw(st.dictionaries(shares, st.sampled_from(WITHOUT_ERRORS), max_size=4)),
    )


WITHOUT_ERRORS = [fault for fault in Fault if fault not in {Fault.FAILS, Fault.NOT_NOW}]
"""Of those that any request can meet."""


def survived(ordeal: Ordeal) -> Counter[str]:
    """What the workers have logged on the way."""
    history = case(ordeal.records, manner=ordeal.manner, batch_max_records=ordeal.batch)
    whole = run(history)
    assert whole.violation is None, str(whole.violation)
    done = run(
        history,
        [(share * whole.steps // WHOLE, deed) for share, deed in ordeal.deeds],
        {share * len(whole.requests) // WHOLE: fault for share, fault in ordeal.faults.items()},
    )
    assert done.violation is None, str(done.violation)
    return done.events


def test_several_things_that_go_wrong_lose_and_repeat_nothing() -> None:
    came: Counter[str] = Counter()

    @settings(
        max_examples=50,
        deadline=None,
        derandomize=True,
        database=None,
        phases=FIND,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(ordeals())
    def lose_and_repeat_nothing(ordeal: Ordeal) -> None:
        came.update(event for event, times in survived(ordeal).items() if times)

    lose_and_repeat_nothing()
    print(came)  # noqa: T201  pytest shows it with -rP
    for event in (ABORTED, FENCED, AGAIN):
        assert came[event] >= OFTEN, f"in {came[event]} examples only: {event}"


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ordeals())
def test_many_things_that_go_wrong_lose_and_repeat_nothing(ordeal: Ordeal) -> None:
    survived(ordeal)
