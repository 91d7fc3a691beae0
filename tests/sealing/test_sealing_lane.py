"""Whatever happens to a worker while it seals histories anew: nothing is lost, and none is an older one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.lane import deeds
from tests.lane.driver import Case, Deed, in_memory, run
from tests.lane.histories import generated, resumed_case
from tests.lane.search import at_every_step, on_every_request
from tests.lane.wire import Fault
from tests.sealing.keys import folder_of
from worker.stream.sealing import lane as lane_seals

ANEW, KEPT = "histories sealed anew", "histories kept"
FEWEST_STEPS = 250
REST = (deeds.replaced_unawares, deeds.handed_over_and_back, deeds.handed_over_for_a_moment)


@pytest.fixture(autouse=True, scope="module")
def one_at_a_time() -> Iterator[None]:
    """The clients in memory, and a transaction for each history that is sealed anew."""
    with in_memory(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(lane_seals, "MOST_RECORDS", 1)
        yield


@pytest.fixture(scope="module")
def rekeyed(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Histories of three members by key a; a worker with key b, which gets events of some of them."""
    return _case(folder_of(tmp_path_factory.mktemp("rekeyed"), "a", "b"), {"sealing_key": "a"})


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The same with histories that no key has sealed."""
    nothing = {"sealing_key": None, "sealing_keys_dir": None}
    return _case(folder_of(tmp_path_factory.mktemp("keyed"), "b"), nothing)


def _case(keys: Path, formerly: Mapping[str, Any]) -> Case:
    events = generated(9, seed=2, members=3)
    return resumed_case(events[:6], events[6:], formerly=formerly, sealing_keys_dir=keys, sealing_key="b")


@pytest.mark.parametrize("name", ["rekeyed", "keyed"])
def test_all_are_sealed_anew_once(name: str, request: pytest.FixtureRequest) -> None:
    done = run(request.getfixturevalue(name))
    assert done.violation is None
    assert done.events[ANEW] == 1


def test_what_a_worker_with_the_old_key_has_sealed_meanwhile_is_sealed_anew(rekeyed: Case) -> None:
    """No offset tells of it: that worker has decided nothing."""
    done = run(rekeyed, [(1, partial(deeds.lent, sealing_key="a"))])
    assert done.violation is None
    assert done.events[ANEW] == 3  # by the new key, by the old one, by the new one
    assert done.events[KEPT] == 0


def test_memory_is_kept_where_nobody_else_had_the_partition(rekeyed: Case) -> None:
    done = run(rekeyed, [(1, deeds.taken_away_and_given_back)])
    assert done.violation is None
    assert (done.events[ANEW], done.events[KEPT]) == (1, 1)


@pytest.mark.parametrize(
    "deed",
    [
        deeds.killed_with_its_requests,
        *(pytest.param(deed, marks=pytest.mark.soak) for deed in REST),
    ],
)
def test_at_whatever_step_it_happens_no_history_is_lost_or_set_back(rekeyed: Case, deed: Deed) -> None:
    search = at_every_step(rekeyed, deed)
    print(f"{deed.__name__}: {search}")  # noqa: T201  pytest shows it with -rP
    assert search.runs >= FEWEST_STEPS
    assert not search.found, str(search)


@pytest.mark.parametrize("fault", [Fault.UNANSWERED, Fault.FAILS])
def test_whichever_request_meets_it_no_history_is_lost_or_set_back(rekeyed: Case, fault: Fault) -> None:
    search = on_every_request(rekeyed, fault)
    assert not search.found, str(search)
