"""What the driver is worth: of a lane with one thing left out it finds the step at which that shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lane import deeds, mutants
from tests.lane.driver import Case, Deed, in_memory, run
from tests.lane.histories import NO_CLAIM, case, resumed, short
from tests.lane.mutants import Mutation
from tests.lane.search import first_found, tried
from tests.lane.wire import Fault


def one_record() -> Case:
    return case([NO_CLAIM])


@pytest.mark.parametrize(
    ("mutation", "history", "what", "event", "kind"),
    [
        (mutants.OFFSET_READ_BEFORE_FENCE, resumed, deeds.killed, "EndTxn sent", "duplicate"),
        (mutants.DELIVERIES_NOT_AWAITED, short, Fault.FAILS, "Produce", "loss"),
        (mutants.RESTORED_BEFORE_FENCE, short, deeds.replaced_unawares, "InitProducerId applied", "wrong"),
        (mutants.MEMORY_KEPT, short, Fault.FAILS, "AddPartitionsToTxn", "loss"),
        (mutants.CHANGELOG_APART, short, Fault.FAILS, "Produce", "stopped"),
        (
            mutants.OFFSET_ASKED_FOR_FIRST,
            short,
            deeds.stopped_until_all_is_done,
            "OffsetFetch sent",
            "stopped",
        ),
    ],
)
def test_what_a_mutant_does_wrong_is_found_at_the_same_place_each_time(
    mutation: Mutation, history: Callable[[], Case], what: Deed | Fault, event: str, kind: str
) -> None:
    with in_memory(mutation):
        assert run(history()).violation is None
        found = first_found(history(), what)
        assert found is not None
        print(found)  # noqa: T201  pytest shows it with -rP
        assert (found.event, found.violation.kind) == (event, kind), str(found)
        assert tried(history(), what, found.place).violation == found.violation
    assert tried(history(), what, found.place).violation is None  # where the true lane is


def test_an_offset_that_is_committed_by_itself_is_seen_without_any_fault() -> None:
    with in_memory(mutants.OFFSET_APART):
        violation = run(short()).violation
    assert violation is not None
    assert violation.kind == "loss"
