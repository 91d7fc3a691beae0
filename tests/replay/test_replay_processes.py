"""Shards over processes: all of them, on fewer processes than shards, and what is told when one fails."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.replay.standin import MEMBER, Walk, planned, walk
from worker.replay.planning.plan import fingerprint
from worker.replay.running.aside import reading_rows
from worker.replay.running.processes import ShardFailedError, replay_shards, usable_cores
from worker.replay.running.working import ShardFiles
from worker.replay.telling.outcome import ShardOutcome

if TYPE_CHECKING:
    from pathlib import Path

    from tests.replay.standin import Fault
    from worker.replay.running.progress import Reached

PLACES = (40, 100, 0)


async def replayed(source: Walk, directory: Path, processes: int = 2) -> tuple[list[ShardOutcome], Reached]:
    (directory / ".replay").mkdir(exist_ok=True)
    seen: list[Reached] = []
    outcomes = replay_shards(await planned(source), directory, processes, seen.append, walk)
    return outcomes, seen[-1]


@pytest.mark.parametrize("processes", [1, 2, 4])
async def test_every_shard_is_replayed_once_on_however_many_processes(tmp_path: Path, processes: int) -> None:
    outcomes, reached = await replayed(Walk(PLACES), tmp_path, processes)
    assert [outcome.shard.number for outcome in outcomes] == [0, 1, 2]
    assert [outcome.events_read for outcome in outcomes] == list(PLACES)
    rows = [[row.offset for row in reading_rows(ShardFiles(tmp_path, n).rows)] for n in range(3)]
    assert rows == [list(range(0, places, 7)) for places in PLACES]
    differing = sum(map(len, rows))
    assert reached == (sum(PLACES), differing, sum(PLACES), sum(PLACES), 0, 0)


FAILING: dict[Fault, str] = {
    "evidence": "the log is cut off",
    "refused": "the topic is not there",
    "unreachable": "partition 1 failed: KafkaConnectionError: KafkaConnectionError: no broker answers",
    "bug": "replaying partition 1 failed by a fault of this program: KeyError at tests/replay/standin.py",
    "killed": "the process of partition 1 was ended by signal 9, and did not say why; the system does",
}


@pytest.mark.parametrize("fault", FAILING)
async def test_a_shard_that_fails_is_told_in_a_line_without_a_value(tmp_path: Path, fault: Fault) -> None:
    with pytest.raises(ShardFailedError) as failed:
        await replayed(Walk((0, 70), faults=((1, fault),)), tmp_path)
    (text,) = failed.value.args
    assert FAILING[fault] in text
    assert MEMBER not in text
    assert "\n" not in text


async def test_a_failure_stops_the_others_and_what_they_did_is_gone_on_from(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    with pytest.raises(ShardFailedError):
        await replayed(Walk((1000, 2000), faults=((0, "unreachable"),), gate=gate), tmp_path)
    assert ShardFiles(tmp_path, 1).checkpoint.exists()
    outcomes, reached = await replayed(Walk((1000, 2000)), tmp_path)
    assert [outcome.events_read for outcome in outcomes] == [1000, 2000]
    assert not ShardFiles(tmp_path, 1).checkpoint.exists()
    assert reached.events == reached.places == 3000
    assert reached.resumed_events == reached.resumed_places == 1000


async def test_shards_that_are_done_are_not_done_again(tmp_path: Path) -> None:
    first, _ = await replayed(Walk(PLACES), tmp_path)
    again, reached = await replayed(Walk(PLACES, faults=tuple((n, "bug") for n in range(3))), tmp_path)
    assert again == first
    assert reached.resumed_events == reached.events == sum(PLACES)
    assert reached.resumed_places == reached.places == reached.places_in_all


async def test_signals_are_as_before_when_the_replay_is_done(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    await replayed(Walk((5,)), tmp_path)
    now = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert now == before
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_cores_are_those_that_may_be_used() -> None:
    assert usable_cores() >= 1


CHANGES = {
    "more to read": Walk((40, 100, 1)),
    "one shard less": Walk((40, 100)),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_another_plan_has_another_fingerprint(change: str) -> None:
    assert fingerprint(await planned(CHANGES[change])) != fingerprint(await planned(Walk(PLACES)))


async def test_the_fingerprint_depends_on_what_the_outputs_hold() -> None:
    plain, with_phi = await planned(Walk(PLACES)), await planned(Walk(PLACES), with_phi=True)
    assert fingerprint(plain) != fingerprint(with_phi)
    assert fingerprint(plain) == fingerprint(await planned(Walk(PLACES)))
