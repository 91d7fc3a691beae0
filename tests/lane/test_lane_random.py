"""Long histories, batches of any size, and several things that go wrong in one run, drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.lane import deeds
from tests.lane.driver import Deed, in_memory, run
from tests.lane.histories import NO_CLAIM, case, generated
from tests.lane.wire import HOP_S, Fault
from tests.lane.world import Manner
from tests.stream.streamkit import Input

MANY = 1500
"""A step or a request further away is of a run that is over."""

FIND = [Phase.explicit, Phase.generate]
"""Without shrinking: a run of many steps is long enough the first time."""


class Ordeal(NamedTuple):
    """A history, how it is served, and what goes wrong."""

    records: Sequence[Input]
    batch: int
    manner: Manner
    deeds: Sequence[tuple[int, Deed]]
    faults: dict[int, Fault]

    def __repr__(self) -> str:
        done = [(step, deed.__name__) for step, deed in self.deeds]
        return f"{len(self.records)} records by {self.batch}, {self.manner}, {done}, {self.faults}"


@st.composite
def ordeals(draw: st.DrawFn) -> Ordeal:
    records = generated(draw(st.integers(1, 60)), draw(st.integers(1, 1000)), draw(st.integers(1, 6)))
    for place in draw(st.lists(st.integers(0, 60), max_size=6)):
        records.insert(place, draw(st.sampled_from([NO_CLAIM, *records])))
    happens = st.tuples(
        st.integers(0, MANY), st.sampled_from(deeds.ALL) | st.builds(deeds.woken_at, st.integers(1, 60))
    )
    return Ordeal(
        records,
        draw(st.integers(1, 20)),
        Manner(draw(st.integers(1, 30)), draw(st.sampled_from([HOP_S, 0.03, 0.1]))),
        sorted(draw(st.lists(happens, max_size=5)), key=lambda one: one[0]),
        draw(st.dictionaries(st.integers(0, MANY // 10), st.sampled_from(WITHOUT_ERRORS), max_size=4)),
    )


WITHOUT_ERRORS = [fault for fault in Fault if fault not in {Fault.FAILS, Fault.NOT_NOW}]
"""Of those that any request can meet."""


def survives(ordeal: Ordeal) -> None:
    with in_memory():
        history = case(ordeal.records, manner=ordeal.manner, batch_max_records=ordeal.batch)
        done = run(history, ordeal.deeds, ordeal.faults)
    assert done.violation is None, str(done.violation)


@settings(max_examples=50, deadline=None, derandomize=True, database=None, phases=FIND)
@given(ordeals())
def test_several_things_that_go_wrong_lose_and_repeat_nothing(ordeal: Ordeal) -> None:
    survives(ordeal)


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ordeals())
def test_many_things_that_go_wrong_lose_and_repeat_nothing(ordeal: Ordeal) -> None:
    survives(ordeal)
