"""Deciding batches: what a batch decides with the histories before it, and how long it may take."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import orjson
import pytest
from aiokafka import ConsumerRecord

from tests.stream.inprocess import owner
from tests.stream.killing import events
from tests.stream.oracle import Answers, assert_exactly_once, assert_same, fold, reference
from tests.stream.story import changed, stories
from tests.stream.streamkit import Clock, Input, Stream, claims, partition, until
from worker.adjudication import Adjudicated, Rejected, Result, adjudicate, encode
from worker.adjudication.claim import Event
from worker.settings import Settings
from worker.stream.deciding import SLICE, Adjudicate, Decided, Decider, Encode
from worker.stream.histories import Histories


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
        assert histories.size[:2] == (len(written), sum(map(len, written.values())))
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

    def test_a_bug_in_counting_is_raised_and_no_record_becomes_a_dead_letter_for_it(self) -> None:
        def uncountable(event: Event, history: bytes | None) -> Adjudicated | Rejected:
            answer = judge(event, history)
            assert isinstance(answer, Adjudicated)
            return answer._replace(evicted=None)

        with pytest.raises(TypeError):
            decider(uncountable).decide(arrived(claims(3, seed=74)), Histories())

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
        assert lane._buffer.bytes == 0
        commits = one.metrics.registry.get_sample_value("mms_commit_duration_seconds_count")
        assert commits == len(records)
    await assert_exactly_once(stream, records)
