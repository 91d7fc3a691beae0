"""A replay that is interrupted goes on where it stood, and comes to the same bytes."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

import pytest

from tests.replay.replaykit import Case, Listening, Replayed, carried_out, made_up, write
from tests.replay.test_replay_findings import tampered_at
from tests.replay.test_replay_what_if import moved_policies
from worker.adjudication import Limits
from worker.replay.planning.plan import Asked, Plan
from worker.replay.planning.planned import planned
from worker.replay.reading.archives import FileSource
from worker.replay.reading.evidence import EvidenceError
from worker.replay.running import shard
from worker.replay.running.shard import replay_shard
from worker.replay.running.working import STATE, Interrupted, ShardFiles


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A changed byte, a result that is gone, one that is there twice, and other policies."""
    directory = tmp_path_factory.mktemp("evidence")
    case = tampered_at(made_up(700, seed=8, members=60), 700)
    results = [*case.results[:100], *case.results[101:300], case.results[200], *case.results[300:]]
    events_file, results_file = write(directory, Case(case.events, results))
    policies = moved_policies(directory / "policies")
    source = FileSource((events_file,), (results_file,), 2)
    return asyncio.run(planned(source, Asked(Limits(), policies=policies)))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard, "BATCH", 50)


def replay(plan: Plan, out: Path, interrupt_at: int | None = None) -> Replayed:
    return asyncio.run(carried_out(plan, out, lambda: Listening(interrupt_at)))


@pytest.mark.parametrize("every", [1, 2, 5])
def test_an_interrupted_replay_comes_to_the_same(tmp_path: Path, plan: Plan, every: int) -> None:
    undisturbed = replay(plan, tmp_path / "undisturbed")
    assert set(undisturbed.counts.results_by_cause) == {"tampered", "missing", "extra", "policy"}
    interrupted = replay(plan, tmp_path / "interrupted", interrupt_at=every)
    assert interrupted.outcomes == undisturbed.outcomes
    assert interrupted.rows == undisturbed.rows


def test_what_a_killed_replay_wrote_behind_its_checkpoint_is_written_once(tmp_path: Path, plan: Plan) -> None:
    """It is killed some batches after the checkpoint: rows and results that wait are there already."""
    undisturbed = replay(plan, tmp_path / "undisturbed")
    out = tmp_path / "killed"
    (out / STATE).mkdir(parents=True)
    files = ShardFiles(out, 0)

    class Killed(Exception):  # noqa: N818  it is what happens to it
        pass

    class Dying(Listening):
        def is_interrupted(self) -> bool:
            if self.batches == 4:
                raise Killed
            return super().is_interrupted()

    async def once(heard: Listening) -> None:
        async with plan.source.open() as evidence:
            await replay_shard(plan, evidence, plan.shards[0], files, heard)

    with pytest.raises(Interrupted):
        asyncio.run(once(Listening(interrupt_at=2)))
    with pytest.raises(Killed):
        asyncio.run(once(Dying()))
    assert replay(plan, out).rows == undisturbed.rows


def test_a_replay_that_goes_on_says_what_was_done_before(tmp_path: Path, plan: Plan) -> None:
    heard: list[Listening] = []
    numbers = count()

    def listening() -> Listening:
        heard.append(Listening(interrupt_at=2 if next(numbers) == 0 else None))
        return heard[-1]

    asyncio.run(carried_out(plan, tmp_path, listening))
    told = sum(events for events, _, _ in heard[0].told), sum(found for _, found, _ in heard[0].told)
    assert heard[1].resumed == [(*told, heard[0].told[-1][2])]


def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path, plan: Plan) -> None:
    (tmp_path / STATE).mkdir()
    ShardFiles(tmp_path, 0).checkpoint.write_bytes(b"\x01")
    with pytest.raises(EvidenceError, match="begin anew"):
        replay(plan, tmp_path)
