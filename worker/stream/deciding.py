"""A batch of input records to the records that go out for it: pure code, called by the shell.

Bad data is a value here. Where the adjudication itself raises, the batch is decided again record by record,
and only the claim that raised becomes a dead letter.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from aiokafka.partitioner import murmur2

from worker.adjudication import Rejected, Result, decode
from worker.adjudication.claim import Event
from worker.stream.deadletters import dead_letter, internal_error
from worker.stream.records import has_raw_name
from worker.stream.results import ResultRecords
from worker.stream.transaction import Outgoing

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    from worker.settings import Settings

Adjudicate: TypeAlias = Callable[[Event], Result | Rejected]
Encode: TypeAlias = Callable[[Result], bytes]


SLICE = 64
"""Records that are taken through the steps together: each step then finds its code and data in cache."""


class Tally(NamedTuple):
    """What happened in a batch, for the metrics: counts by label values."""

    events: Counter[str]
    outcomes: Counter[str]
    lines: Counter[tuple[str, str]]
    findings: Counter[tuple[str, str]]
    policies: Counter[tuple[str, str]]
    rejected: Counter[str]
    happened: list[tuple[str, str]]
    """Outcome and CloudEvents time of each decided event that has a time."""


class Decided(NamedTuple):
    """A batch of which every record has become either a result or a dead letter, in the order of offsets."""

    next_offset: int
    records: int
    results: list[Outgoing]
    dead_letters: list[Outgoing]
    bugs: list[int]
    """Offsets of the claims on which the pure code raised."""
    tally: Tally
    seconds: float
    """Processor time that it took to decide."""


class _Collected(NamedTuple):
    """A batch while it is being decided."""

    results: list[Outgoing]
    dead_letters: list[Outgoing]
    bugs: list[int]
    decisions: list[tuple[Event, Result]]
    rejected: list[tuple[Event | None, str]]

    def reject(
        self, record: ConsumerRecord, event: Event | None, why: Rejected, exception: str = "Rejected"
    ) -> None:
        """Add a dead letter; ``event`` is None where the record could not be decoded."""
        self.dead_letters.append(dead_letter(record, why, exception))
        self.rejected.append((event, why.reason))


class Decider:
    """Decides batches. ``adjudicate`` and ``encode`` are the pure core with its reference data bound."""

    def __init__(self, adjudicate: Adjudicate, encode: Encode, settings: Settings) -> None:
        self._adjudicate = adjudicate
        self._encode = encode
        self._partitions = settings.partitions if settings.key_partition_check else None
        self._results = ResultRecords(settings.result_source)

    def decide(self, batch: Sequence[ConsumerRecord]) -> Decided:
        """Decide a batch that has at least one record, and again record by record if the pure code raises."""
        began = time.thread_time()
        try:
            collected = self._together(batch)
        except Exception:  # noqa: BLE001  which claim it was, and what is to become of it, is found out below
            collected = self._singly(batch)
        return Decided(
            batch[-1].offset + 1,
            len(batch),
            collected.results,
            collected.dead_letters,
            collected.bugs,
            _tallied(collected),
            time.thread_time() - began,
        )

    def _together(self, batch: Sequence[ConsumerRecord]) -> _Collected:
        collected = _Collected([], [], [], [], [])
        for start in range(0, len(batch), SLICE):
            self._add(batch[start : start + SLICE], collected)
        return collected

    def _singly(self, batch: Sequence[ConsumerRecord]) -> _Collected:
        collected = _Collected([], [], [], [], [])
        for record in batch:
            try:
                self._add([record], collected)
            except Exception as error:  # noqa: BLE001  the edge at which a bug on one claim is kept to that claim
                collected.bugs.append(record.offset)
                collected.reject(record, None, internal_error(error), type(error).__name__)
        return collected

    def _add(self, records: Sequence[ConsumerRecord], into: _Collected) -> None:
        """Add the results and dead letters of some records; nothing is added if one of them raises."""
        events = [_event(record) for record in records]
        answers = [
            event
            if isinstance(event, Rejected)
            else self._misplaced(record, event) or self._adjudicate(event)
            for record, event in zip(records, events, strict=True)
        ]
        values = [None if isinstance(answer, Rejected) else self._encode(answer) for answer in answers]
        results: list[Outgoing] = []
        decisions: list[tuple[Event, Result]] = []
        for record, event, answer, value in zip(records, events, answers, values, strict=True):
            if value is not None and not isinstance(answer, Rejected) and not isinstance(event, Rejected):
                results.append(self._results.record(record, event, answer, value))
                decisions.append((event, answer))
        into.results.extend(results)
        into.decisions.extend(decisions)
        for record, event, answer in zip(records, events, answers, strict=True):
            if isinstance(answer, Rejected):
                into.reject(record, None if isinstance(event, Rejected) else event, answer)

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


def _event(record: ConsumerRecord) -> Event | Rejected:
    """The record's event; a header's null value, which Kafka allows, is read as an empty one."""
    if has_raw_name(record.headers):
        return Rejected("contract", "$", "a header's name is not UTF-8")
    return decode(record.value, [(name, value or b"") for name, value in record.headers])


@lru_cache(maxsize=1 << 16)
def partition_of(key: bytes, partitions: int) -> int:
    """Where Java's default partitioner puts a key: murmur2, made positive, modulo partitions."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def _tallied(collected: _Collected) -> Tally:
    decisions = collected.decisions
    lines = [line for _, result in decisions for line in result.lines]
    return Tally(
        events=Counter(
            [event.type for event, _ in decisions]
            + [event.type for event, _ in collected.rejected if event is not None]
        ),
        outcomes=Counter([result.outcome for _, result in decisions]),
        lines=Counter(
            [(line.decision, line.adjustments[0].carc if line.adjustments else "") for line in lines]
        ),
        findings=Counter([(finding.rule, finding.verdict) for line in lines for finding in line.findings]),
        policies=Counter([used for _, result in decisions for used in result.basis.policies.items()]),
        rejected=Counter([reason for _, reason in collected.rejected]),
        happened=[(result.outcome, event.time) for event, result in decisions if event.time is not None],
    )
