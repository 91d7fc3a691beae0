"""A lane's memory: what becomes of it when the partition goes, comes back, or a commit fails."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from tests.stream.inprocess import HANG_S, Restores, owner, ready, working
from tests.stream.oracle import assert_exactly_once
from tests.stream.story import Story, stories
from tests.stream.streamkit import Clock, Input, Stream, until
from worker.settings import Settings
from worker.stream import lane as lane_module
from worker.stream.errors import Fenced, GaveUp
from worker.stream.histories import Aside, Histories
from worker.stream.lane import Lane
from worker.stream.restore import Restored, restore
from worker.stream.retry import Backoff
from worker.stream.transactions.producer import TransactionalProducer

PLACE = TopicPartition("in", 0)


class TestHistories:
    def test_their_size_follows_every_change(self) -> None:
        histories = Histories({b"a": b"12", b"b": b"3"})
        assert histories.size == (2, 3, None)
        histories.take({b"a": b"1", b"c": b"4567"})
        assert histories.size == (3, 6, None)

    def test_a_draft_shows_its_changes_to_itself_alone_until_it_is_kept(self) -> None:
        histories = Histories({b"a": b"old"})
        draft = histories.draft()
        draft.change(b"a", b"new")
        draft.change(b"b", b"new")
        assert (draft.of(b"a"), draft.of(b"b"), draft.of(b"c")) == (b"new", b"new", None)
        assert (histories.of(b"a"), histories.of(b"b")) == (b"old", None)
        draft.keep()
        assert (histories.of(b"a"), histories.of(b"b")) == (b"new", b"new")


class TestAside:
    async def test_what_lies_there_is_found_until_it_is_freed(self) -> None:
        aside, histories = Aside(), Histories()
        aside.lay(PLACE, histories, 7, (1, 0))
        for _ in range(2):
            laid = aside.find(PLACE)
            assert laid is not None
            assert (laid.histories, laid.next_offset) == (histories, 7)
        aside.free(PLACE)
        assert aside.find(PLACE) is None

    async def test_what_lies_there_for_long_is_freed(self) -> None:
        aside = Aside(0.01)
        aside.lay(PLACE, Histories(), 7, (1, 0))
        await until(lambda: aside.find(PLACE) is None, "the memory to be freed")

    async def test_the_end_of_an_older_memorys_time_does_not_free_a_newer_one(self) -> None:
        aside = Aside(HANG_S)
        aside.lay(PLACE, Histories(), 7, (1, 0))
        older = aside.find(PLACE)
        aside.lay(PLACE, Histories(), 8, (1, 0))
        assert older is not None
        assert older.purge.cancelled()
        laid = aside.find(PLACE)
        assert laid is not None
        assert laid.next_offset == 8


class Passing:
    """A story told across changes of the partition's owner."""

    def __init__(self, stream: Stream, seed: int) -> None:
        (self.story,) = stories(seed, place=0)
        self._stream = stream
        self._told: list[Input] = []

    async def tell(self, *records: Input) -> None:
        """Publish some records, and wait until they are decided."""
        await self._stream.publish(records)
        self._told += records
        await self._stream.drained(len(self._told))

    async def assert_right(self) -> None:
        await assert_exactly_once(self._stream, self._told)


async def test_memory_is_used_again_when_the_partition_comes_back_and_nothing_was_committed(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restores, passing = Restores(monkeypatch), Passing(stream, 80)
    async with owner(stream, 0) as one:
        await one.own()
        await passing.tell(passing.story.claim)
        await one.let_go()
        await one.own()
        await passing.tell(passing.story.twin)
        await one.let_go()
        await one.own()
        await passing.tell(passing.story.void)
    await passing.assert_right()
    assert restores.partitions == [0]


async def test_memory_is_restored_when_another_owner_has_committed_in_between(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restores, passing = Restores(monkeypatch), Passing(stream, 81)
    async with owner(stream, 0) as one, owner(stream, 0) as other:
        await one.own()
        await passing.tell(passing.story.claim)
        await one.let_go()
        await other.own()
        await passing.tell(passing.story.twin)
        await other.let_go()
        await one.own()
        await passing.tell(passing.story.void)
    await passing.assert_right()
    assert restores.partitions == [0, 0, 0]


async def test_memory_is_used_again_when_another_owner_has_decided_nothing(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restores, passing = Restores(monkeypatch), Passing(stream, 82)
    async with owner(stream, 0) as one, owner(stream, 0) as other:
        await one.own()
        await passing.tell(passing.story.claim)
        await one.let_go()
        await other.own()
        await other.let_go()
        await one.own()
        await passing.tell(passing.story.twin)
    await passing.assert_right()
    assert restores.partitions == [0, 0]


async def test_memory_that_has_lain_for_too_long_is_restored(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restores, passing = Restores(monkeypatch), Passing(stream, 83)
    async with owner(stream, 0, keep=0.01) as one:
        lane = await one.own()
        await passing.tell(passing.story.claim)
        await one.let_go()
        await until(lambda: one.aside.find(lane.partition) is None, "the memory to be freed")
        await one.own()
        await passing.tell(passing.story.twin)
    await passing.assert_right()
    assert restores.partitions == [0, 0]


async def test_memory_is_restored_when_the_last_owner_can_commit_no_more(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    passing = Passing(stream, 88)
    claim, twin, void, *_ = passing.story
    async with owner(stream, 0) as zombie, owner(stream, 0) as heir:
        await zombie.own()
        await passing.tell(claim)
        assert zombie.task is not None
        ends = zombie.task

        async def while_the_zombie_works(partition: int, settings: Settings) -> Restored:
            restored = await restore(partition, settings)
            await stream.publish([twin])

            async def has_tried() -> bool:
                return ends.done() or await stream.committed() == 2

            await until(has_tried, "the zombie to try and commit")
            return restored

        monkeypatch.setattr(lane_module, "restore", while_the_zombie_works)
        await heir.own()
        await stream.publish([void])
        await stream.drained(3)
        zombie.task = None
        with pytest.raises(Fenced):
            await ends
    await assert_exactly_once(stream, [claim, twin, void])


class Commits:
    """Commits of this process's lanes, of which one can be held up before it has sent anything."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held_up = asyncio.Event()
        self._hold_next = False
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        commit, commits = TransactionalProducer.commit, self

        async def commit_later(producer: TransactionalProducer, *arguments: Any) -> float:
            await commits._wait()
            return await commit(producer, *arguments)

        monkeypatch.setattr(TransactionalProducer, "commit", commit_later)

    def hold_next(self) -> None:
        """Let the next commit wait until it is told how to end."""
        self._hold_next = True

    def go_on(self) -> None:
        self._ended.set_result(None)

    def fail(self) -> None:
        self._ended.set_exception(KafkaConnectionError("no answer"))

    async def _wait(self) -> None:
        if self._hold_next:
            self._hold_next = False
            self.held_up.set()
            await self._ended


@pytest.fixture
def full_with_one(stream: Stream) -> Stream:
    """A stream on which every record is a full batch, and so decided while another is being committed."""
    stream.settings = stream.settings.model_copy(update={"batch_max_records": 1})
    return stream


async def decide_ahead(stream: Stream, story: Story, commits: Commits, lane: Lane) -> None:
    """Have the void decided while the twin is not committed yet: memory is then ahead of the log."""
    commits.hold_next()
    await stream.publish([story.twin])
    await commits.held_up.wait()
    await stream.publish([story.void])
    await until(lambda: lane._deciding == 2 and not lane._buffer, "the next batch to be decided")


async def test_memory_ahead_of_a_commit_that_fails_is_thrown_away(
    full_with_one: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restores, commits, passing = Restores(monkeypatch), Commits(monkeypatch), Passing(full_with_one, 84)
    async with owner(full_with_one, 0) as one:
        lane = await one.own()
        await passing.tell(passing.story.claim)
        await decide_ahead(full_with_one, passing.story, commits, lane)
        commits.fail()
        await full_with_one.drained(3)
    await assert_exactly_once(full_with_one, [passing.story.claim, passing.story.twin, passing.story.void])
    assert restores.partitions == [0, 0]


async def test_memory_that_was_kept_is_thrown_away_as_well_when_a_commit_fails(
    full_with_one: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restores, commits, passing = Restores(monkeypatch), Commits(monkeypatch), Passing(full_with_one, 84)
    async with owner(full_with_one, 0) as one:
        await one.own()
        await passing.tell(passing.story.claim)
        await one.let_go()
        lane = await one.own()
        assert restores.partitions == [0]
        await decide_ahead(full_with_one, passing.story, commits, lane)
        commits.fail()
        await full_with_one.drained(3)
    await assert_exactly_once(full_with_one, [passing.story.claim, passing.story.twin, passing.story.void])
    assert restores.partitions == [0, 0]


async def test_memory_ahead_of_a_commit_is_not_laid_aside_by_a_lane_that_is_cut_off(
    full_with_one: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restores, commits, passing = Restores(monkeypatch), Commits(monkeypatch), Passing(full_with_one, 85)
    async with owner(full_with_one, 0) as one:
        lane = await one.own()
        await passing.tell(passing.story.claim)
        await decide_ahead(full_with_one, passing.story, commits, lane)
        await one.let_go(cut_off=True)
        assert one.aside.find(lane.partition) is None
        await one.own()
        await full_with_one.drained(3)
    await assert_exactly_once(full_with_one, [passing.story.claim, passing.story.twin, passing.story.void])
    assert restores.partitions == [0, 0]


async def test_a_lane_that_may_finish_commits_what_it_has_decided_ahead_and_lays_that_aside(
    full_with_one: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits, passing = Commits(monkeypatch), Passing(full_with_one, 86)
    async with owner(full_with_one, 0) as one:
        lane = await one.own()
        await passing.tell(passing.story.claim)
        await decide_ahead(full_with_one, passing.story, commits, lane)
        ending = asyncio.ensure_future(one.let_go())
        commits.go_on()
        await ending
        assert await full_with_one.committed() == 3
        laid = one.aside.find(lane.partition)
        assert laid is not None
        assert laid.next_offset == 3
        restored = (await full_with_one.restored())[0]
        assert {key: laid.histories.of(key) for key in restored} == restored
        assert laid.histories.size.members == len(restored)


async def test_a_first_transaction_that_is_interrupted_between_two_topics_is_done_again(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, topics = TransactionalProducer._sent, list[str]()

    async def interrupted(producer: TransactionalProducer, topic: str, *batch: Any) -> Any:
        topics.append(topic)
        if len(topics) == 2:
            raise KafkaConnectionError("no answer")
        delivery = await sent(producer, topic, *batch)
        await delivery.answer
        return delivery

    monkeypatch.setattr(TransactionalProducer, "_sent", interrupted)
    ((claim, *_),) = stories(80, place=0)
    async with owner(stream, 0) as one:
        await one.own()
        await stream.publish([claim])
        ended = one.task
        assert ended is not None
        await until(lambda: ended.done() or len(topics) == 4, "the transaction to be tried again")
        await stream.drained(1)
    await assert_exactly_once(stream, [claim])


async def test_a_lane_that_can_never_commit_gives_up_though_each_restore_is_longer_than_its_patience(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()

    async def restore_for_long(partition: int, settings: Settings) -> Restored:
        clock.time += settings.patience_s + 5
        return await restore(partition, settings)

    async def unanswered(*_: object) -> None:
        raise KafkaConnectionError("no answer")

    monkeypatch.setattr(lane_module, "restore", restore_for_long)
    monkeypatch.setattr(lane_module, "Backoff", partial(Backoff, now=clock))
    ((claim, *_),) = stories(80, place=0)
    async with owner(stream, 0) as one:
        await one.own()
        monkeypatch.setattr(TransactionalProducer, "commit", unanswered)
        await stream.publish([claim])
        ends, one.task = one.task, None
        assert ends is not None
        async with asyncio.timeout(HANG_S):
            with pytest.raises(GaveUp):
                await ends


async def test_workers_that_come_and_go_restore_only_what_another_has_changed(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restores = Restores(monkeypatch)
    members = [story for place in range(4) for story in stories(87, place=place)]
    async with working(stream.settings) as (first, _):
        await ready(first)
        await stream.publish([story.claim for story in members])
        await stream.drained(4)
        assert sorted(restores.partitions) == [0, 1, 2, 3]
        async with working(stream.settings) as (second, _):
            await until(lambda: second._source and second._source.lanes, "the second to be assigned")
            await ready(second)
            await ready(first)
            assert second._source is not None
            moved = sorted(place.partition for place in second._source.lanes)
            assert 0 < len(moved) < 4
            assert sorted(restores.partitions[4:]) == moved
            for number in range(4):
                held = first.metrics.registry.get_sample_value(
                    "mms_history_members", {"partition": str(number)}
                )
                assert held == (None if number in moved else 1)
            await stream.publish([story.twin for story in members])
            await stream.drained(8)
        await until(lambda: first._source and len(first._source.lanes) == 4, "all partitions to come back")
        await ready(first)
        assert sorted(restores.partitions[4 + len(moved) :]) == moved
        await stream.publish([story.void for story in members])
        await stream.drained(12)
    told = [record for story in members for record in (story.claim, story.twin, story.void)]
    await assert_exactly_once(stream, told)
