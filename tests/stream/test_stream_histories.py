"""A lane's memory: what it holds, what of it is published, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError

from tests.stream.inprocess import HANG_S, Restores, owner, ready, working
from tests.stream.killing import events
from tests.stream.oracle import Answers, assert_exactly_once, assert_same, fold, reference
from tests.stream.story import Story, changed, stories
from tests.stream.streamkit import Clock, Input, Stream, partition, until
from worker.adjudication import Adjudicated, Rejected, Result, adjudicate, encode
from worker.adjudication.claim import Event
from worker.adjudication.stored import VERSION
from worker.settings import Settings
from worker.stream import lane as lane_module
from worker.stream.deciding import SLICE, Adjudicate, Decided, Decider, Encode
from worker.stream.errors import Fenced, GaveUp
from worker.stream.histories import Aside, Histories
from worker.stream.lane import Lane
from worker.stream.restore import Restored, restore
from worker.stream.retry import Backoff
from worker.stream.transaction import TransactionalProducer

PLACE = TopicPartition("in", 0)


class TestHistories:
    def test_their_size_follows_every_change(self) -> None:
        histories = Histories({b"a": b"12", b"b": b"3"})
        assert histories.size == (2, 3)
        histories.take({b"a": b"1", b"c": b"4567"})
        assert histories.size == (3, 6)

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
        aside.lay(PLACE, histories, 7)
        for _ in range(2):
            laid = aside.find(PLACE)
            assert laid is not None
            assert (laid.histories, laid.next_offset) == (histories, 7)
        aside.free(PLACE)
        assert aside.find(PLACE) is None

    async def test_what_lies_there_for_long_is_freed(self) -> None:
        aside = Aside(0.01)
        aside.lay(PLACE, Histories(), 7)
        await until(lambda: aside.find(PLACE) is None, "the memory to be freed")

    async def test_the_end_of_an_older_memorys_time_does_not_free_a_newer_one(self) -> None:
        aside = Aside(HANG_S)
        aside.lay(PLACE, Histories(), 7)
        older = aside.find(PLACE)
        aside.lay(PLACE, Histories(), 8)
        assert older is not None
        assert older.purge.cancelled()
        laid = aside.find(PLACE)
        assert laid is not None
        assert laid.next_offset == 8


def judge(event: Event, history: bytes | None) -> Adjudicated | Rejected:
    return adjudicate(event, history, reference())


def decider(adjudicate: Adjudicate = judge, encode: Encode = encode) -> Decider:
    """One for which time stands still: it cuts no batch."""
    return Decider(adjudicate, encode, Settings(key_partition_check=False), now=Clock())


@cache
def answered(count: int) -> tuple[list[Input], Answers]:
    """Events of forty members, and what the oracle makes of them."""
    records = events(count, seed=72, members=40)
    return records, fold(records)


def arrived(records: Sequence[Input]) -> list[ConsumerRecord[bytes, bytes]]:
    """The records as a consumer has them; each is one millisecond later than the one before."""
    return [
        ConsumerRecord(
            "in", 0, offset, 1000 + offset, 0, record.key, record.value, None, 0, 0, tuple(record.headers)
        )
        for offset, record in enumerate(records)
    ]


def values(batches: Sequence[Decided]) -> list[bytes | None]:
    return [result.value for batch in batches for result in batch.results]


class TestDeciding:
    @pytest.mark.parametrize(("size", "count"), [(1, 300), (7, 1500), (SLICE, 1500), (1000, 1500)])
    def test_what_a_batch_decides_does_not_hang_on_where_it_begins_and_ends(
        self, size: int, count: int
    ) -> None:
        records, expected = answered(count)
        batch, histories = arrived(records), Histories()
        found = [decider().decide(batch[at : at + size], histories) for at in range(0, len(batch), size)]
        assert_same(values(found), [value for _, value in expected.results], "results")
        assert [letter.cause for one in found for letter in one.dead_letters] == [
            offset for offset, _ in expected.letters
        ]
        written = {entry.key: entry.value for one in found for entry in one.changelog}
        assert written == expected.histories
        assert histories.size == (len(written), sum(map(len, written.values())))
        assert found[-1].histories == histories.size

    def test_a_member_of_several_records_has_one_history_to_write_the_last(self) -> None:
        ((claim, twin, void, member, _),) = stories(71)
        batch, histories = arrived([claim, twin, void]), Histories()
        (entry,) = decider().decide(batch, histories).changelog
        assert entry == (member, histories.of(member), batch[2].timestamp, (), 2)

    def test_each_result_has_the_time_of_the_record_that_caused_it(self) -> None:
        ((claim, twin, void, member, _),) = stories(71)
        results = decider().decide(arrived([claim, twin, void]), Histories()).results
        assert [result.timestamp for result in results] == [1000, 1001, 1001, 1002, 1002]
        assert {result.key for result in results} == {member}

    def test_an_event_that_comes_twice_changes_nothing(self) -> None:
        ((claim, *_),) = stories(71)
        histories = Histories()
        first, second = (decider().decide(arrived([claim]), histories) for _ in range(2))
        assert len(first.results) == len(first.changelog) == 1
        assert (second.results, second.dead_letters, second.changelog) == ([], [], [])
        assert second.tally.events.total() == 1
        assert second.next_offset == 1

    def test_a_rejected_event_leaves_the_history_as_it_was(self) -> None:
        ((claim, *_),) = stories(71)
        histories = Histories()
        decider().decide(arrived([claim]), histories)
        before = histories.of(claim.key or b"")
        other = decider().decide(arrived([changed(claim, payer_id="OTHER")]), histories)
        assert other.tally.rejected == {"id_conflict": 1}
        assert (other.results, other.changelog) == ([], [])
        assert histories.of(claim.key or b"") == before

    @pytest.mark.parametrize("place", [0, SLICE - 1, SLICE, 2 * SLICE + 5])
    @pytest.mark.parametrize("step", ["adjudicate", "encode"])
    def test_a_bug_on_one_claim_leaves_its_members_history_as_if_it_had_not_come(
        self, step: str, place: int
    ) -> None:
        members = stories(73, count=SLICE)
        records = [record for story in members for record in (story.claim, story.twin, story.void)]
        broken = orjson.loads(records[place].value or b"")["id"]

        def raising(event: Event, history: bytes | None) -> Adjudicated | Rejected:
            if step == "adjudicate" and event.id == broken:
                raise ZeroDivisionError
            return judge(event, history)

        def unspeakable(result: Result) -> bytes:
            if step == "encode" and result.cause.id == broken:
                raise ZeroDivisionError
            return encode(result)

        histories = Histories()
        found = decider(raising, unspeakable).decide(arrived(records), histories)
        expected = fold(record for number, record in enumerate(records) if number != place)
        assert found.bugs == [place]
        assert_same(values([found]), [value for _, value in expected.results], "results")
        assert {entry.key: entry.value for entry in found.changelog} == expected.histories
        assert all(histories.of(member) == state for member, state in expected.histories.items())

    def test_what_was_decided_again_is_counted_by_its_cause(self) -> None:
        ((claim, twin, void, *_),) = stories(71)
        tally = decider().decide(arrived([claim, twin, void]), Histories()).tally
        assert tally.events == {"mms.claim.submitted.v1": 2, "mms.claim.voided.v1": 1}
        assert tally.outcomes == {"pay": 3, "deny": 1, "void": 1}
        assert tally.readjudications["claim"] == 1
        assert tally.readjudications["void"] >= 1


class Slow:
    """An adjudication that takes its time, by a clock that stands still otherwise."""

    def __init__(self, seconds: float) -> None:
        self.clock = Clock()
        self.judged: list[str] = []
        """The ids of the events, in the order in which they came."""
        self._seconds = seconds

    def judge(self, event: Event, history: bytes | None) -> Adjudicated | Rejected:
        self.clock.time += self._seconds
        self.judged.append(event.id)
        return judge(event, history)

    def decider(self, batch_max_ms: float, adjudicate: Adjudicate | None = None) -> Decider:
        settings = Settings(key_partition_check=False, batch_max_ms=batch_max_ms)
        return Decider(adjudicate or self.judge, encode, settings, now=self.clock)


class TestTimeOfABatch:
    @pytest.mark.parametrize(
        ("batch_max_ms", "records"),
        [
            (1, 1), (63, 2), (125, 2), (126, 3),
            (62.5 * (SLICE - 1), SLICE - 1), (62.5 * SLICE, SLICE), (62.5 * SLICE + 1, SLICE + 1), (5000, 80),
        ],
    )  # fmt: skip
    def test_it_is_cut_behind_the_record_at_which_its_time_is_over(
        self, batch_max_ms: float, records: int
    ) -> None:
        batch = arrived([story.claim for story in stories(73, count=100)])
        slow = Slow(1 / 16)
        found = slow.decider(batch_max_ms).decide(batch, Histories())
        assert (found.records, found.next_offset) == (records, records)
        assert len(slow.judged) == len(found.results) == len(found.changelog) == records

    def test_a_batch_that_is_cut_again_and_again_loses_and_repeats_nothing(self) -> None:
        records, expected = answered(300)
        slow, histories = Slow(1 / 8), Histories()
        decide, rest, found = slow.decider(1000).decide, arrived(records), list[Decided]()
        while rest:
            found.append(decide(rest, histories))
            rest = rest[found[-1].records :]
            assert found[-1].next_offset == len(records) - len(rest)
        assert len(found) > 30
        assert_same(values(found), [value for _, value in expected.results], "results")
        assert [letter.cause for one in found for letter in one.dead_letters] == [
            offset for offset, _ in expected.letters
        ]
        assert {entry.key: entry.value for one in found for entry in one.changelog} == expected.histories

    def test_what_follows_a_bug_on_one_claim_is_cut_too(self) -> None:
        ((claim, *_), (other, *_), *rest) = stories(73, count=SLICE)
        slow, histories = Slow(1), Histories()
        broken = orjson.loads(other.value or b"")["id"]

        def raising(event: Event, history: bytes | None) -> Adjudicated | Rejected:
            if event.id == broken:
                raise ZeroDivisionError
            return slow.judge(event, history)

        batch = arrived([claim, other, *[story.claim for story in rest]])
        decide = slow.decider(5000, raising).decide
        first = decide(batch, histories)
        assert (first.bugs, first.records) == ([1], 5)  # the second of judging the first claim was in vain
        second = decide(batch[first.records :], histories)
        assert (second.bugs, second.records, second.next_offset) == ([], 5, 10)


async def test_records_for_which_a_batch_had_no_time_are_decided_next_and_in_their_order(
    stream: Stream,
) -> None:
    records = [record for record in events(400, seed=70, members=40) if partition(record) == 0]
    stream.settings = stream.settings.model_copy(update={"batch_max_ms": 1e-6})
    await stream.publish(records)
    async with owner(stream, 0) as one:
        lane = await one.own()
        await stream.drained(len(records))
        await until(lambda: lane.is_idle, "the lane to have nothing left")
        assert lane._buffered_bytes == 0
        commits = one.metrics.registry.get_sample_value("mms_commit_duration_seconds_count")
        assert commits == len(records)
    await assert_exactly_once(stream, records)


async def test_a_decision_that_changes_is_published_as_the_next_revision(stream: Stream) -> None:
    ((claim, twin, void, _, claim_id),) = stories(74)
    records = [claim, twin, void]
    stream.worker()
    await stream.publish(records)
    await stream.drained(3)
    await assert_exactly_once(stream, records)
    published = [orjson.loads(record.value) for record in (await stream.results())[partition(claim)]]
    own = [result for result in published if result["claim_id"] == claim_id]
    assert [(result["revision"], result["outcome"]) for result in own] == [
        (1, "pay"),
        (2, "deny"),
        (3, "pay"),
    ]
    first, second, third = own
    assert [result["supersedes"] for result in own] == [None, first["result_id"], second["result_id"]]
    (finding,) = [
        finding for finding in third["lines"][0]["findings"] if finding["rule"] == "history.readjudicated"
    ]
    assert finding["evidence"] == {"claim": f"{claim_id}-twin", "event": "mms.claim.voided.v1"}


async def test_a_worker_that_starts_between_two_claims_of_a_member_knows_the_first(stream: Stream) -> None:
    members = stories(75, count=20)
    early = [story.claim for story in members]
    late = [record for story in members for record in (story.twin, story.void)]
    worker = stream.worker()
    await stream.publish(early)
    await stream.drained(20)
    await asyncio.to_thread(worker.stop, 20)
    assert worker.exit_code == 0
    stream.worker()
    await stream.publish(late)
    await stream.drained(60)
    await assert_exactly_once(stream, [*early, *late])


async def test_events_that_are_sent_again_are_committed_and_publish_nothing(stream: Stream) -> None:
    ((claim, twin, *_),) = stories(76)
    worker = stream.worker()
    await stream.publish([claim, twin])
    await stream.drained(2)
    published = await stream.results()
    await stream.publish([claim, twin, claim])
    await stream.drained(5)
    assert await stream.results() == published
    assert not await stream.dead_letters()
    assert worker.exit_code is None


async def test_an_event_of_a_claim_never_seen_is_a_dead_letter_until_it_is_sent_again_behind_it(
    stream: Stream,
) -> None:
    ((_, twin, void, *_),) = stories(77)
    records = [void, twin, void]
    stream.worker()
    await stream.publish(records)
    await stream.drained(3)
    await assert_exactly_once(stream, records)
    ((letter,),) = (await stream.dead_letters()).values()
    assert dict(letter.headers)["mms.dlq.reason"] == b"unknown_claim"
    published = [orjson.loads(record.value) for record in (await stream.results())[partition(twin)]]
    assert [result["outcome"] for result in published] == ["pay", "void"]


async def test_a_history_that_its_topic_does_not_take_stops_the_worker_and_publishes_nothing(
    stream: Stream,
) -> None:
    ((claim, *_),) = stories(78)
    topic = stream.settings.changelog_topic
    # The results that it sent with it are read as soon as their transaction times out.
    worker = stream.worker(batch_deadline_s=1.5, transaction_timeout_s=2)
    await worker.ready()
    async with stream.administration() as client:
        small = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "100"})
        await client.alter_configs([small])
    await stream.publish([claim])
    assert await worker.ended() == 2
    (stop,) = worker.said("worker stops")
    assert f"topic {topic} does not take its record" in stop["reason"]
    assert await stream.committed() == 0
    assert not await stream.results()


async def test_a_history_of_an_unknown_version_is_refused(stream: Stream) -> None:
    ((claim, *_),) = stories(79)
    async with AIOKafkaProducer(bootstrap_servers=stream.settings.bootstrap_servers) as producer:
        await producer.send_and_wait(
            stream.settings.changelog_topic,
            bytes([VERSION + 1]) + b"history",
            key=claim.key,
            partition=partition(claim),
        )
    worker = stream.worker()
    assert await worker.ended() == 2
    (stop,) = worker.said("worker stops")
    assert f"version {VERSION + 1}" in stop["reason"]
    assert f"version {VERSION}" in stop["reason"]
    assert stream.settings.changelog_topic in stop["reason"]
    assert (claim.key or b"").decode() not in worker.text


async def test_a_worker_is_not_ready_before_its_histories_are_restored_and_stops_meanwhile(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restoring = asyncio.Event()

    async def hanging(*_: object) -> None:
        restoring.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(lane_module, "restore", hanging)
    async with working(stream.settings) as (engine, _):
        await restoring.wait()
        await until(lambda: "the lane of partition 0" in engine.not_ready(), "an assignment")


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

        async def commit_later(producer: TransactionalProducer, *arguments: Any) -> None:
            await commits._wait()
            await commit(producer, *arguments)

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


async def decide_ahead(stream: Stream, story: Story, commits: Commits, lane: Lane) -> None:
    """Have the void decided while the twin is not committed yet: memory is then ahead of the log."""
    commits.hold_next()
    await stream.publish([story.twin])
    await commits.held_up.wait()
    await stream.publish([story.void])
    await until(lambda: lane._deciding == 2 and not lane._buffer, "the next batch to be decided")


async def test_memory_ahead_of_a_commit_that_fails_is_thrown_away(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restores, commits, passing = Restores(monkeypatch), Commits(monkeypatch), Passing(stream, 84)
    async with owner(stream, 0) as one:
        lane = await one.own()
        await passing.tell(passing.story.claim)
        await decide_ahead(stream, passing.story, commits, lane)
        commits.fail()
        await stream.drained(3)
    await assert_exactly_once(stream, [passing.story.claim, passing.story.twin, passing.story.void])
    assert restores.partitions == [0, 0]


async def test_memory_that_was_kept_is_thrown_away_as_well_when_a_commit_fails(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restores, commits, passing = Restores(monkeypatch), Commits(monkeypatch), Passing(stream, 84)
    async with owner(stream, 0) as one:
        await one.own()
        await passing.tell(passing.story.claim)
        await one.let_go()
        lane = await one.own()
        assert restores.partitions == [0]
        await decide_ahead(stream, passing.story, commits, lane)
        commits.fail()
        await stream.drained(3)
    await assert_exactly_once(stream, [passing.story.claim, passing.story.twin, passing.story.void])
    assert restores.partitions == [0, 0]


async def test_memory_ahead_of_a_commit_is_not_laid_aside_by_a_lane_that_is_cut_off(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restores, commits, passing = Restores(monkeypatch), Commits(monkeypatch), Passing(stream, 85)
    async with owner(stream, 0) as one:
        lane = await one.own()
        await passing.tell(passing.story.claim)
        await decide_ahead(stream, passing.story, commits, lane)
        await one.let_go(cut_off=True)
        assert one.aside.find(lane.partition) is None
        await one.own()
        await stream.drained(3)
    await assert_exactly_once(stream, [passing.story.claim, passing.story.twin, passing.story.void])
    assert restores.partitions == [0, 0]


async def test_a_lane_that_may_finish_commits_what_it_has_decided_ahead_and_lays_that_aside(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits, passing = Commits(monkeypatch), Passing(stream, 86)
    async with owner(stream, 0) as one:
        lane = await one.own()
        await passing.tell(passing.story.claim)
        await decide_ahead(stream, passing.story, commits, lane)
        ending = asyncio.ensure_future(one.let_go())
        commits.go_on()
        await ending
        assert await stream.committed() == 3
        laid = one.aside.find(lane.partition)
        assert laid is not None
        assert laid.next_offset == 3
        restored = (await stream.restored())[0]
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
