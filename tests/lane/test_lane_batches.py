"""How a lane cuts its batches: what comes during a commit goes together, unless it is more than one takes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.lane.driver import run
from tests.lane.histories import case, generated
from tests.lane.wire import Fault
from tests.lane.world import Manner
from tests.stream.streamkit import Input

FETCHED = 4
"""Records that one fetch brings."""
RECORDS = generated(3 * FETCHED, seed=2)


def transactions(records: Sequence[Input], *, batch: int) -> int:
    """How many there are of records, where the answer to the end of the first one comes late."""
    history = case(records, manner=Manner(fetch_most=FETCHED), batch_max_records=batch)
    whole = run(history)
    ends = [place for place, name in enumerate(whole.requests) if name == "EndTxn"]
    _, first, *_ = ends  # the very first is of no records: it proves that the lane is the partition's owner
    slowly = run(history, faults={first: Fault.ANSWERED_LATE})
    assert (whole.violation, slowly.violation) == (None, None)
    return slowly.requests.count("EndTxn") - 1


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (100, 2),  # those of the first fetch; those of both others, which came while the first was committed
        (2 * FETCHED, 2),
        (2 * FETCHED - 1, 3),  # one record is too many for the second
        (FETCHED, 3),
    ],
)
def test_what_comes_during_a_commit_is_one_batch_up_to_its_bound(batch: int, expected: int) -> None:
    assert transactions(RECORDS, batch=batch) == expected
