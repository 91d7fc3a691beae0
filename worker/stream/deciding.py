"""A batch of input records to the records that go out for it: pure code, called by the shell.

Each record meets its member's history as the records before it have left it. Bad data is a value here. Where
the adjudication itself raises, a slice of the batch is decided again record by record, and only the claim
that raised becomes a dead letter.

While a batch is decided nothing else runs, heartbeats included, and a record can cost a thousand times what
another costs. So a batch has its time, and is cut behind the record at which that is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from aiokafka.partitioner import murmur2

from worker.adjudication import Adjudicated, Rejected, Result, decode
from worker.adjudication.claim import Event
from worker.adjudication.redacted import redacted
from worker.stream.deadletters import dead_letter, internal_error
from worker.stream.histories import Draft, Histories, Size
from worker.stream.outgoing import Outgoing
from worker.stream.records import STANDS_FOR, has_raw_name
from worker.stream.results import ResultRecords
from worker.stream.tally import Tally

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    from worker.settings import Settings
    from worker.stream.signature import Sign

Adjudicate: TypeAlias = Callable[[Event, bytes | None], Adjudicated | Rejected]
Encode: TypeAlias = Callable[[Result], bytes]


SLICE = 32
"""Records that are taken through the steps together: each step then finds its code and data in cache."""


@redacted
class Decided(NamedTuple):
    """A batch decided record by record in the order of offsets: what goes out for it, all of it together.

    A record has results, or a dead letter, or neither where it changes nothing that was published.
    """

    next_offset: int
    records: int
    """How many were decided, from the first on: those for which there was time."""
    results: list[Outgoing]
    dead_letters: list[Outgoing]
    changelog: list[Outgoing]
    """The history of each member that the batch has changed, as the last change has left it."""
    bugs: list[int]
    """Offsets of the claims on which the pure code raised."""
    histories: Size
    """How much the lane holds after the batch."""
    tally: Tally
    seconds: float
    """Processor time that it took to decide."""


@redacted
class _Part(NamedTuple):
    """What a slice of a batch comes to."""

    results: list[Outgoing]
    dead_letters: list[Outgoing]
    changed: dict[bytes, ConsumerRecord]
    """The last record that changed a member's history, by the member's key."""
    accepted: list[tuple[Event, Adjudicated]]
    rejected: list[tuple[Event | None, str]]

    def reject(
        self, record: ConsumerRecord, event: Event | None, why: Rejected, exception: str = "Rejected"
    ) -> None:
        """Add a dead letter; ``event`` is None where the record could not be decoded."""
        self.dead_letters.append(dead_letter(record, why, exception))
        self.rejected.append((event, why.reason))


class _Collected:
    """A batch while it is being decided.

    Of a part there remains what is to be written and what was counted. Its events and answers are free when
    it is added, so that the next part is made in memory that the processor still has in its cache.
    """

    def __init__(self) -> None:
        self.results: list[Outgoing] = []
        self.dead_letters: list[Outgoing] = []
        self.changed: dict[bytes, ConsumerRecord] = {}
        self.bugs: list[int] = []
        self.tally = Tally()

    def add(self, part: _Part) -> None:
        """Add what the records that follow come to."""
        self.results.extend(part.results)
        self.dead_letters.extend(part.dead_letters)
        self.changed.update(part.changed)
        self.tally.add(part.accepted, part.rejected)

    def add_bug(self, record: ConsumerRecord, error: Exception) -> None:
        """Add a record on which the pure code raised."""
        part = _Part([], [], {}, [], [])
        part.reject(record, None, internal_error(error), type(error).__name__)
        self.add(part)
        self.bugs.append(record.offset)


class Decider:
    """Decides batches. ``adjudicate`` and ``encode`` are the pure core with its reference data bound.

    ``now`` is a clock in seconds that never goes back; ``sign`` signs results, if they are to be signed.
    """

    def __init__(
        self,
        adjudicate: Adjudicate,
        encode: Encode,
        settings: Settings,
        now: Callable[[], float] = time.perf_counter,
        sign: Sign | None = None,
    ) -> None:
        self._adjudicate = adjudicate
        self._encode = encode
        self._now = now
        self._seconds = settings.batch_max_ms / 1000
        self._partitions = settings.partitions if settings.key_partition_check else None
        self._results = ResultRecords(settings.result_source, sign)

    def decide(self, batch: Sequence[ConsumerRecord], histories: Histories) -> Decided:
        """Decide a batch that has at least one record; ``histories`` are afterwards as it has left them.

        Its first record is decided however long that takes, the others as far as there is time. What raises
        here leaves ``histories`` half-changed: they are of no use any more.
        """
        began, ends = time.thread_time(), self._now() + self._seconds
        collected = _Collected()
        count = 0
        while count < len(batch) and (not count or self._now() < ends):
            count += self._decide_slice(batch[count : count + SLICE], histories, ends, collected)
        return Decided(
            batch[count - 1].offset + 1,
            count,
            collected.results,
            collected.dead_letters,
            [_state(member, record, histories) for member, record in collected.changed.items()],
            collected.bugs,
            histories.size,
            collected.tally,
            time.thread_time() - began,
        )

    def _decide_slice(
        self, records: Sequence[ConsumerRecord], histories: Histories, ends: float, into: _Collected
    ) -> int:
        """Decide some records together, and again one by one if the pure code raises.

        Returns how many were decided until the clock came to ``ends``; it is one at least. What raises behind
        the pure code is a bug on no claim, and is raised.
        """
        try:
            count, part = self._kept(records, histories, ends)
        except Exception:  # noqa: BLE001  which claim it was, and what is to become of it, is found out below
            for number, record in enumerate(records, 1):
                self._add_alone(record, histories, ends, into)
                if self._now() >= ends:
                    return number
            return len(records)
        into.add(part)
        return count

    def _add_alone(self, record: ConsumerRecord, histories: Histories, ends: float, into: _Collected) -> None:
        try:
            _, part = self._kept([record], histories, ends)
        except Exception as error:  # noqa: BLE001  the edge at which a bug on one claim is kept to that claim
            into.add_bug(record, error)
        else:
            into.add(part)

    def _kept(
        self, records: Sequence[ConsumerRecord], histories: Histories, ends: float
    ) -> tuple[int, _Part]:
        """How many records there was time for, and what they come to; no history changes if one raises."""
        draft = histories.draft()
        count, part = self._collect(records, draft, ends)
        draft.keep()
        return count, part

    def _collect(self, records: Sequence[ConsumerRecord], draft: Draft, ends: float) -> tuple[int, _Part]:
        """How many of the records there was time for, and what those come to."""
        events = [event_of(record) for record in records]
        answers: list[Adjudicated | Rejected] = []
        for record, event in zip(records, events, strict=True):
            answers.append(event if isinstance(event, Rejected) else self._folded(record, event, draft))
            if self._now() >= ends:
                break
        values = [
            [] if isinstance(answer, Rejected) else [self._encode(result) for result in answer.results]
            for answer in answers
        ]
        found = _Part([], [], {}, [], [])
        # Behind the last answer there are records and events for which there was no time.
        for record, event, answer, encoded in zip(records, events, answers, values, strict=False):
            if isinstance(event, Rejected):
                found.reject(record, None, event)
            elif isinstance(answer, Rejected):
                found.reject(record, event, answer)
            else:
                found.accepted.append((event, answer))
                if answer.history is not None:
                    found.changed[record.key] = record
                for result, value in zip(answer.results, encoded, strict=True):
                    found.results.append(self._results.record(record, event, result, value))
        return len(answers), found

    def _folded(self, record: ConsumerRecord, event: Event, draft: Draft) -> Adjudicated | Rejected:
        """What an event comes to, given its member's history, which then is the one after it."""
        misplaced = self._misplaced(record, event)
        if misplaced is not None:
            return misplaced
        answer = self._adjudicate(event, draft.of(record.key))
        if not isinstance(answer, Rejected) and answer.history is not None:
            draft.change(record.key, answer.history)
        return answer

    def _misplaced(self, record: ConsumerRecord, event: Event) -> Rejected | None:
        if record.key is None:
            return Rejected("key_mismatch", "$", "the record has no key; it must be the member_id")
        if record.key != event.data.member_id.encode():
            return Rejected("key_mismatch", "$", "the record's key is not its member_id")
        if self._partitions is not None:
            right = partition_of(record.key, self._partitions)
            if record.partition != right:
                message = (
                    f"the key belongs to partition {right} by murmur2, the record is on {record.partition}"
                )
                return Rejected("key_mismatch", "$", message)
        return None


def event_of(record: ConsumerRecord) -> Event | Rejected:
    """The record's event; a header's null value, which Kafka allows, is read as an empty one."""
    if not record.headers:
        return decode(record.value)
    if record.headers[0][0] == STANDS_FOR:
        return Rejected(
            "too_large", "$", f"the batch it came in is not unpacked: see its header {STANDS_FOR}"
        )
    if has_raw_name(record.headers):
        return Rejected("contract", "$", "a header's name is not UTF-8")
    return decode(record.value, [(name, value or b"") for name, value in record.headers])


@lru_cache(maxsize=1 << 16)
def partition_of(key: bytes, partitions: int) -> int:
    """Where Java's default partitioner puts a key: murmur2, made positive, modulo partitions."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def _state(member: bytes, cause: ConsumerRecord, histories: Histories) -> Outgoing:
    """The changelog's record of a member whose history ``cause`` was the last to change."""
    return Outgoing(member, histories.of(member), cause.timestamp, (), cause.offset)
