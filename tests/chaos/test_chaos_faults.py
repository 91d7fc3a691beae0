"""The plan of a run is drawn from its seed alone, and holds what was asked for."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from tests.chaos.faults import (
    BATCH_DEADLINE_S,
    BROKER_KILLS,
    BROKERS,
    DELAY_S,
    KILLS,
    LASTS_S,
    LEAD_S,
    SESSION_S,
    TRACKS,
    Kind,
    plan,
)

SEEDS = range(5)
RUNS = [(0.1, 0), (1, 0), (1, 8), (5, 0), (30, 100), (30, 101)]
"""Minutes and kills."""


def counted(seed: int, minutes: float, kills: int) -> Counter[Kind]:
    return Counter(fault.kind for track in plan(seed, minutes, kills) for fault in track)


@pytest.mark.parametrize(("minutes", "kills"), RUNS)
def test_the_same_arguments_give_the_same_plan(minutes: float, kills: int) -> None:
    assert plan(3, minutes, kills) == plan(3, minutes, kills)


def test_another_seed_gives_another_plan() -> None:
    assert len({str(plan(seed, 1)) for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("minutes", "kills"), RUNS)
def test_every_kind_of_fault_is_in_every_plan(seed: int, minutes: float, kills: int) -> None:
    assert counted(seed, minutes, kills).keys() == set(Kind)


def test_which_broker_is_delayed_says_nothing_of_by_how_much() -> None:
    delays = {
        (round(fault.choice, 1), fault.delay)
        for fault in plan(1, 60)[1]
        if fault.kind is Kind.CONNECTIONS_DELAYED
    }
    assert len({choice for choice, _ in delays}) > 3
    assert len(delays) > len({choice for choice, _ in delays})


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kills", [1, 4, 5, 100, 101, 999])
def test_there_are_as_many_kills_as_asked_for_a_fifth_of_them_of_brokers(seed: int, kills: int) -> None:
    found = counted(seed, 30, kills)
    of_brokers = sum(found[kind] for kind in BROKER_KILLS)
    assert found[Kind.WORKER_KILLED] >= kills - kills // 5
    assert of_brokers >= kills // 5
    assert found[Kind.WORKER_KILLED] + of_brokers >= kills


def test_no_more_kills_are_added_than_are_missing() -> None:
    found = counted(1, 30, 500)
    assert found[Kind.WORKER_KILLED] == 400
    assert sum(found[kind] for kind in BROKER_KILLS) == 100


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("minutes", "kills"), RUNS)
def test_faults_of_a_track_come_one_after_the_other_within_the_time(
    seed: int, minutes: float, kills: int
) -> None:
    for track, faults in zip(TRACKS, plan(seed, minutes, kills), strict=True):
        assert {fault.kind for fault in faults} == set(track.kinds)
        moments = [fault.at for fault in faults]
        assert moments == sorted(moments)
        assert moments[0] >= LEAD_S
        assert moments[-1] <= minutes * 60
        assert all(0 <= fault.choice < 1 for fault in faults)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kind_comes_again_only_when_every_other_of_its_track_has_come(seed: int) -> None:
    for track, faults in zip(TRACKS, plan(seed, 30), strict=True):
        kinds = [fault.kind for fault in faults]
        size = len(track.kinds)
        rounds = [kinds[at : at + size] for at in range(0, len(kinds), size)]
        assert all(set(one) == set(track.kinds) for one in rounds)


@pytest.mark.parametrize("seed", SEEDS)
def test_there_are_never_fewer_than_two_workers_nor_more_than_four(seed: int) -> None:
    change = {Kind.WORKER_ADDED: 1, Kind.WORKER_REMOVED: -1}
    workers = 3
    for fault in plan(seed, 30, 100)[0]:
        workers += change.get(fault.kind, 0)
        assert 2 <= workers <= 4


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_to_outlast_a_deadline_does_and_what_is_late_is_late(seed: int) -> None:
    for track in plan(seed, 30, 100):
        for fault in track:
            shortest, longest = LASTS_S.get(fault.kind, (0, 0))
            assert shortest <= fault.lasts <= longest
            least, most = DELAY_S if fault.kind is Kind.CONNECTIONS_DELAYED else (0, 0)
            assert least <= fault.delay <= most
            if fault.kind is Kind.WORKER_FROZEN:
                assert fault.lasts > SESSION_S
            if fault.kind in {Kind.COMMIT_HELD, Kind.ANSWER_HELD}:
                assert fault.lasts > BATCH_DEADLINE_S


def test_brokers_are_taken_down_on_one_track_alone() -> None:
    assert [track for track in TRACKS if set(track.kinds) & set(BROKER_KILLS)] == [BROKERS]
    assert [kind for one, other in pairwise(TRACKS) for kind in set(one.kinds) & set(other.kinds)] == []
    assert set(KILLS) >= set(BROKER_KILLS)


@pytest.mark.parametrize(
    ("choice", "among", "place"), [(0.0, 3, 0), (0.3333, 3, 0), (0.3334, 3, 1), (0.9999, 3, 2), (0.5, 1, 0)]
)
def test_a_choice_is_one_of_those_that_there_are(choice: float, among: int, place: int) -> None:
    fault = plan(1, 1)[0][0]._replace(choice=choice)
    assert fault.choose(range(among)) == place
