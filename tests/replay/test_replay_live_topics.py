"""Topics that a worker goes on with while they are replayed: what comes meanwhile changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.replay.replaykit import Listening, carried_out
from tests.replay.test_replay_command import counts, replay
from tests.replay.test_replay_topics import publisher, results_of, send, source, values
from tests.stream.killing import events
from tests.stream.streamkit import Stream
from worker.adjudication import Limits
from worker.replay.planning.plan import Asked
from worker.replay.planning.planned import planned
from worker.replay.reading import topic_plan
from worker.replay.reading.evidence import Span
from worker.replay.reading.window import Bounds, Moment, Offset

SOME = 60
QUESTIONS = ("firsts", "ends", "at", "committed")
FAR = Moment(4_102_444_800_000)  # 2100


def before_each_question(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Awaitable[None]]) -> None:
    """Let something happen before each question that the plan asks the brokers."""

    def preceded(asked: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def answer(*arguments: Any) -> Any:
            await happens()
            return await asked(*arguments)

        return answer

    for name in QUESTIONS:
        monkeypatch.setattr(topic_plan._Asking, name, preceded(getattr(topic_plan._Asking, name)))


@pytest.mark.parametrize(
    "bounds",
    [Bounds(), Bounds(Offset(5), Offset(30)), Bounds(Moment(0), FAR), Bounds(Offset(5), FAR)],
    ids=["all", "offsets", "times", "offset and time"],
)
async def test_what_is_decided_between_the_questions_is_no_difference(
    bounds: Bounds, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.worker()
    batches = count(1)

    async def more_is_decided() -> None:
        batch = next(batches)
        await stream.publish(events(SOME, batch, 20))
        await stream.drained(batch * SOME)

    await more_is_decided()
    with monkeypatch.context() as patch:
        before_each_question(patch, more_is_decided)
        plan = await planned(source(stream, bounds), Asked(Limits()))
    await more_is_decided()

    replayed = await carried_out(plan, tmp_path / "out", Listening)
    assert next(batches) > len(QUESTIONS)
    assert (replayed.counts.results_differing, replayed.rows) == (0, [])
    assert replayed.counts.reproduced > 0
    if bounds == Bounds():
        assert replayed.counts.events_replayed == sum(shard.events.end for shard in plan.shards)
        assert replayed.counts.reproduced == sum(outcome.results_read for outcome in replayed.outcomes)


async def test_a_copy_of_a_decided_event_that_is_not_decided_yet_draws_nothing_into_the_replay(
    stream: Stream, tmp_path: Path
) -> None:
    decided, later = events(SOME, 1, 20), events(SOME, 2, 20)
    worker = stream.worker()
    await stream.publish(decided)
    await stream.drained(SOME)
    assert worker.stop(20)
    await stream.publish([*later, *decided])
    plan = await planned(source(stream), Asked(Limits()))
    replayed = await carried_out(plan, tmp_path / "out", Listening)
    assert sum(shard.events.end for shard in plan.shards) == SOME
    assert (replayed.counts.results_differing, replayed.rows) == (0, [])


async def test_a_transaction_that_is_open_is_waited_for_and_an_aborted_one_is_invisible(
    stream: Stream,
) -> None:
    """Else a plan could end between two results of one event."""
    made = source(stream)
    async with publisher(stream) as producer:
        await producer.begin_transaction()
        await send(producer, stream, 0, b"aborted")
        await producer.abort_transaction()
        await producer.begin_transaction()
        await send(producer, stream, 0, b"one")
        planning = asyncio.ensure_future(made.shards())
        await asyncio.wait([planning], timeout=0.2)
        assert not planning.done()
        await send(producer, stream, 0, b"other")
        await producer.commit_transaction()
        shard = (await planning)[0]
        async with producer.transaction():
            await send(producer, stream, 0, b"later")
    assert shard.results == Span(0, 5)  # behind what ends the transaction
    assert values(await results_of(made, shard)) == [b"one", b"other"]


async def test_a_transaction_that_does_not_end_is_told_with_its_place(stream: Stream) -> None:
    async with publisher(stream) as producer:
        async with producer.transaction():
            await send(producer, stream, 2, b"1")
        await producer.begin_transaction()
        await send(producer, stream, 2, b"2")
        with pytest.raises(TimeoutError, match=r"partition 2 of .*: a transaction that began at offset 2"):
            await source(stream, patience_s=0.2).shards()
        await producer.abort_transaction()


async def test_a_replay_under_load_reproduces_what_it_reads(stream: Stream, tmp_path: Path) -> None:
    stream.worker(batch_max_records=5)
    load = stream.process(stream.command("devkit", "load", "--rate", "200", "--seed", "3"))
    await stream.drained(SOME)
    for run in ("first", "second", "third"):
        code, text = await replay(stream, tmp_path / run, "--processes", "2")
        assert code == 0, text
        assert counts(tmp_path / run)["reproduced"] > 0
    assert load.exit_code is None, load.text
