"""Whether what a run leaves at the brokers, and what could be read on the way, is what the oracle says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from aiokafka import TopicPartition

from tests.lane.broker import Record, State
from tests.lane.world import World
from tests.stream.oracle import fold, letter_of
from tests.stream.streamkit import Input
from worker.settings import Settings
from worker.stream.deadletters import ADDED, sealed_with
from worker.stream.sealing.envelope import history_place, is_sealed, letter_place
from worker.stream.sealing.opening import opener_of


class Violation(NamedTuple):
    """What is wrong, in one word, and where it was seen."""

    kind: str
    what: str
    step: int
    event: str
    """The last thing that had happened."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} (seen at step {self.step}, {self.event})"


class Letter(NamedTuple):
    """What a dead letter must say of which record, and the record as it came."""

    offset: int
    reason: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    """The record's own."""


class Expected:
    """What the records of the input come to, by the pure function; ``offsets`` are theirs."""

    def __init__(self, records: Sequence[Input], offsets: Sequence[int], settings: Settings) -> None:
        answers = fold(records, settings.limits)
        self.results = answers.results
        self.letters = [_letter(offsets[index], reason, records[index]) for index, reason in answers.letters]
        self.histories = answers.histories
        dead = {index for index, _ in answers.letters}
        accepted = iter(answers.accepted)
        self._counts = [
            (offset, 0 if index in dead else len(next(accepted).results), index in dead)
            for index, offset in enumerate(offsets)
        ]

    def before(self, offset: int) -> tuple[int, int]:
        """How many results and dead letters the records before an offset have."""
        earlier = [one for one in self._counts if one[0] < offset]
        return sum(results for _, results, _ in earlier), sum(dead for _, _, dead in earlier)

    @cached_property
    def size(self) -> tuple[int, int]:
        return len(self.results), len(self.letters)


def _letter(offset: int, reason: str, record: Input) -> Letter:
    return Letter(offset, reason, record.key, record.value, tuple(record.headers))


class Witness:
    """Reads along, read_committed, and keeps the first violation that it sees."""

    def __init__(self, world: World, expected: Expected) -> None:
        self.violation: Violation | None = None
        self._world = world
        self._expected = expected
        self._results = TopicPartition(world.settings.results_topic, 0)
        self._letters = TopicPartition(world.settings.dead_letter_topic, 0)
        self._changelog = TopicPartition(world.settings.changelog_topic, 0)
        self._opener = opener_of(world.settings)
        self._seen: dict[TopicPartition, list[Record]] = {}
        self._offset = world.broker.offsets.get(world.input, 0)
        world.broker.told = self.told
        for place in (self._results, self._letters):  # a transaction may change neither
            self._look_at(place)

    def told(self, place: TopicPartition) -> None:
        """Look at a partition that has changed."""
        for consumer in self._world.consumers:
            consumer.told(place)
        if self.violation is None:
            if place in {self._results, self._letters}:
                self._look_at(place)
            if not self._world.broker.due():
                self._look_at_offset()

    def judge(self) -> None:
        """Look at everything in the end."""
        if self.violation is not None:
            return
        for place in (self._results, self._letters):
            self._look_at(place)
        self._look_at_offset()
        if self.violation is None:
            self._look_at_the_end()

    def violated(self, kind: str, what: str) -> None:
        if self.violation is None:
            self.violation = Violation(kind, what, self._world.loop.steps, self._world.wire.latest)

    def _look_at(self, place: TopicPartition) -> None:
        """What can be read is what could be read before and more, and as the oracle says."""
        view = self._world.broker.log(place).committed().records
        before = self._seen.get(place, [])
        if view[: len(before)] != before:
            self.violated("changed", f"{place.topic}: what could be read before has changed")
        self._seen[place] = view
        if place == self._results:
            _compare(self, [record[4:6] for record in view], self._expected.results, "results")
        else:
            _compare(self, list(map(self._read, view)), self._expected.letters, "dead letters")

    def _look_at_offset(self) -> None:
        """Once all markers are written: before, the offset and what it is of come in any order."""
        offset = self._world.broker.offsets.get(self._world.input, 0)
        if offset < self._offset:
            self.violated("backwards", f"the committed offset goes from {self._offset} to {offset}")
        self._offset = offset
        seen = len(self._seen.get(self._results, ())), len(self._seen.get(self._letters, ()))
        answered = self._expected.before(offset)
        if seen != answered:
            kind = "loss" if seen < answered else "early"
            what = f"offset {offset} is committed with {seen} results and dead letters, not {answered}"
            self.violated(kind, what)

    def _look_at_the_end(self) -> None:
        world = self._world
        if not world.is_answered:
            self.violated("unanswered", f"the committed offset is {world.broker.offsets.get(world.input)}")
        if self._seen_size() != self._expected.size:
            self.violated("loss", f"{self._seen_size()} results and dead letters, not {self._expected.size}")
        held: dict[bytes | None, bytes | None] = {}
        for record in world.broker.log(self._changelog).committed().records:
            held[record.key] = self._opened_history(record)
        if held != self._expected.histories:
            self.violated("history", "the changelog does not hold what the members' events come to")
        if any(one.state is State.ONGOING or one.markers for one in world.broker.transactions.values()):
            self.violated("open", "a transaction is left open")
        if any(log.stable_end != log.end for log in world.broker.logs.values()):
            self.violated("open", "a partition's stable end does not reach its end")

    def _seen_size(self) -> tuple[int, int]:
        return len(self._seen.get(self._results, ())), len(self._seen.get(self._letters, ()))

    def _opened_history(self, record: Record) -> bytes | None:
        if record.value is None or not is_sealed(record.value):
            return record.value
        return self._opener.open(record.value, history_place(record.topic, record.partition), record.key)[1]

    def _read(self, letter: Record) -> Letter:
        headers, value = tuple(letter.headers), letter.value
        if value is not None and sealed_with(headers) is not None:
            _, value = self._opener.open(value, letter_place(letter.topic, letter.partition), letter.key)
            headers = headers[:-1]
        return Letter(*letter_of(letter), letter.key, value, headers[: -len(ADDED)])


def _compare(witness: Witness, found: Sequence[object], expected: Sequence[object], what: str) -> None:
    """``found`` must be the beginning of ``expected``."""
    for place, one in enumerate(found):
        if place < len(expected) and one == expected[place]:
            continue
        if one in expected[:place]:
            witness.violated("duplicate", f"{what}: the one at {place} has come before")
        elif one in expected[place:]:
            witness.violated("loss", f"{what}: one that belongs at {place} is missing")
        else:
            witness.violated("wrong", f"{what}: what is at {place} is not what the oracle says")
        return
