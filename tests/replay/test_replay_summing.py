"""The summary of a replay: where it has looked, how it is judged, and what it keeps to itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.replay.standin import Walk, counts, planned
from worker.commands.replaying import Done, replay_or_exit
from worker.replay.output.summing import summed
from worker.replay.reading.evidence import Shard, Span
from worker.replay.telling.outcome import Amount, Counts, ShardOutcome

if TYPE_CHECKING:
    from pathlib import Path

    from worker.replay.output.summary import Summary

PLACES = Span(0, 100)


def outcome(found: Counts, results_end: int = 60) -> ShardOutcome:
    shard = Shard(0, PLACES, PLACES, 100, PLACES)
    return ShardOutcome(shard, found, [], "e", "r", 100, 60, results_end, 0, 1000)


async def summary(found: Counts, *, with_phi: bool = False) -> Summary:
    return summed(await planned(Walk((100,)), with_phi=with_phi), [outcome(found)])


async def test_results_end_where_the_last_was_looked_at() -> None:
    sources = {source.role: source for source in (await summary(counts(range(60), []))).sources}
    assert (sources["results"].begin, sources["results"].end) == (0, 60)
    assert sources["events"].end == 100


@pytest.mark.parametrize(("with_phi", "cents"), [(False, None), (True, 12_345)])
async def test_the_charge_of_one_line_is_told_only_if_it_was_asked_for(
    with_phi: bool, cents: int | None
) -> None:
    found = counts(range(60), [1])
    found.claims_differing = 100
    found.amounts = {"pay": {"deny": Amount(1, 1, 0, 12_345, 1), "pend": Amount(11, 11, 0, 5, 11)}}
    told = await summary(found, with_phi=with_phi)
    for one in (told.counts, told.by_partition["0"]):
        charges = {after: amount.charge_cents for after, amount in one.amounts["pay"].items()}
        assert charges == {"deny": cents, "pend": 5}
    assert (b"12345" in msgspec.json.encode(told)) is with_phi
    assert found.amounts["pay"]["deny"].charge_cents == 12_345


async def test_counts_that_contradict_one_another_are_told_as_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = counts(range(60), [])
    found.results_decided += 1
    told = await summary(found)
    assert told.verdict == "differs"
    done: Any = Done(told, (), "sha", tmp_path)
    monkeypatch.setattr("worker.commands.replaying.carry_out_or_exit", lambda *_: done)
    with pytest.raises(SystemExit) as ended:
        replay_or_exit(Any, Any)
    assert ended.value.code == 1
    said = capsys.readouterr().out.splitlines()[0]
    assert said == (
        "counts do not add up: 60 published, 61 decided and 60 reproduced, though none differs; this is a "
        "fault of the program"
    )
