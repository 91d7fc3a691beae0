"""What the driver is worth: of a lane with one thing left out it finds the step at which that shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lane import deeds, mutants
from tests.lane.driver import Case, Deed, in_memory, run
from tests.lane.histories import resumed, short, slowly_marked
from tests.lane.mutants import Mutation
from tests.lane.search import first_found, tried
from tests.lane.wire import Fault


@pytest.mark.parametrize(
    ("mutation", "history", "what", "event", "kind"),
    [
        (mutants.OFFSET_READ_BEFORE_FENCE, resumed, deeds.killed, "EndTxn sent", "duplicate"),
        (mutants.DELIVERIES_NOT_AWAITED, short, Fault.FAILS, "Produce", "loss"),
        (
            mutants.RESTORED_BEFORE_FENCE,
            short,
            deeds.replaced_unawares,
            "Fetch answered",
            "duplicate",
        ),
        (mutants.MEMORY_KEPT, short, Fault.FAILS, "Produce", "loss"),
        (mutants.CHANGELOG_APART, short, Fault.FAILS, "Produce", "stopped"),
        (
            mutants.OFFSET_ASKED_FOR_FIRST,
            short,
            deeds.stopped_until_all_is_done,
            "OffsetFetch sent",
            "stopped",
        ),
        (
            mutants.OWNERSHIP_NOT_PROVED,
            slowly_marked,
            deeds.woken_between_markers,
            "Fetch sent",
            "stopped",
        ),
    ],
)
def test_what_a_mutant_does_wrong_is_found_at_the_same_place_each_time(
    mutation: Mutation, history: Callable[[], Case], what: Deed | Fault, event: str, kind: str
) -> None:
    given = history()
    with in_memory(mutation):
        assert run(given).violation is None
        found = first_found(given, what)
        assert found is not None
        print(found)  # noqa: T201  pytest shows it with -rP
        assert (found.event, found.violation.kind) == (event, kind), str(found)
        assert tried(given, what, found.place).violation == found.violation
    assert tried(given, what, found.place).violation is None  # where the true lane is


@pytest.mark.parametrize(
    ("mutation", "kind"),
    [
        (mutants.OFFSET_APART, "loss"),
        (mutants.LETTER_WITHOUT_VALUE, "wrong"),
        (mutants.LETTER_WITH_ANOTHER_REASON, "wrong"),
        (mutants.LETTER_WITHOUT_HEADERS, "wrong"),
    ],
)
def test_what_some_mutants_do_wrong_is_seen_without_any_fault(mutation: Mutation, kind: str) -> None:
    given = short()
    with in_memory(mutation):
        violation = run(given).violation
    assert violation is not None
    assert violation.kind == kind, str(violation)
