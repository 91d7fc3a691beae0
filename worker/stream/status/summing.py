"""What the brokers told, put together: lanes, open transactions, digests, totals and the verdict."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from aiokafka import TopicPartition

from worker.stream.status.standing import (
    DeadLetters,
    Digest,
    Lane,
    OpenTransaction,
    Standing,
    Totals,
    Worker,
    joined,
)
from worker.stream.status.verdict import HEALTHY, counts_differ, findings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from worker.settings import Settings
    from worker.stream.status.bases import Basis
    from worker.stream.status.letters import Counts
    from worker.stream.status.read import Read

LIVE_S = 15 * 60.0
"""How long ago the last result of a digest may be for it to count as one that decides now."""
USUAL_TIMEOUT_S = 60.0
"""Kafka's default of a producer's ``transaction.timeout.ms``, for those that write the input."""
ABORTED_WITHIN_S = 10.0
"""How often brokers look for transactions to abort, unless they are told otherwise."""


def summed(read: Read, settings: Settings, most_lag_s: float) -> Standing:
    """The standing that follows from what was read."""
    lanes = tuple(_lanes(read, settings))
    opened = tuple(_opened(read, settings))
    digests = tuple(_digests(read))
    found = (
        *counts_differ(read.counts),
        *findings(read.group.state, lanes, opened, digests, most_lag_s),
    )
    return Standing(
        found[0].code if found else HEALTHY,
        found,
        read.now,
        settings.app_id,
        read.group.state,
        tuple(Worker(one.id, one.client_id, one.host, one.partitions) for one in read.group.members),
        _totals(lanes, read.letters),
        lanes,
        opened,
        digests,
        None if read.letters is None else tuple(_letters(read.letters)),
    )


def _lanes(read: Read, settings: Settings) -> Iterator[Lane]:
    owners = {number: one.id for one in read.group.members for number in one.partitions}
    writes = (settings.results_topic, settings.dead_letter_topic, settings.changelog_topic)
    for number in range(read.counts[settings.input_topic]):
        place = TopicPartition(settings.input_topic, number)
        log, committed = read.stable[place], read.group.committed.get(number)
        commits = [read.tails.get(TopicPartition(topic, number)) for topic in writes]
        basis = read.bases.get(TopicPartition(settings.results_topic, number))
        begins = max(log.first, min(log.end, committed or 0))
        lag_records, lag_seconds = log.end - begins, None
        if place in read.oldest:
            first = read.oldest[place]
            lag_records = 0 if first is None else log.end - first.offset
            lag_seconds = 0.0 if first is None else _age(first.ms, read.now)
        yield Lane(
            number,
            owners.get(number),
            log.first,
            committed,
            log.end,
            lag_records,
            lag_seconds,
            read.ends[place] - log.end if place in read.opened else 0,
            _latest(_seconds(tail and tail.committed_ms) for tail in commits),
            basis.digest if basis else None,
        )


def _opened(read: Read, settings: Settings) -> Iterator[OpenTransaction]:
    """Transactions of lanes that work are open for a moment each."""
    for place, one in read.opened.items():
        seconds = None if one.since_ms is None else _age(one.since_ms, read.now)
        most_s = _timeout_s(place.topic, one.timeout_ms, settings) + ABORTED_WITHIN_S
        hangs = one.is_abandoned or (seconds is not None and seconds > most_s)
        yield OpenTransaction(
            place.topic,
            place.partition,
            one.producer,
            read.stable[place].end,
            read.ends[place],
            seconds,
            hangs,
        )


def _timeout_s(topic: str, told_ms: int | None, settings: Settings) -> float:
    """After how long a transaction is aborted: as its coordinator tells, else what is usual on the topic."""
    if told_ms is not None:
        return told_ms / 1000
    if topic == settings.input_topic:
        return max(settings.transaction_timeout_s, USUAL_TIMEOUT_S)
    return settings.transaction_timeout_s


def _digests(read: Read) -> list[Digest]:
    """The digests of the last results, the one with the newest of them first."""
    found: dict[str, list[tuple[int, Basis, float | None]]] = defaultdict(list)
    for place, basis in read.bases.items():
        last = read.tails[place].last
        if basis is not None and last is not None:
            found[basis.digest].append((place.partition, basis, _seconds(last.committed_ms)))
    digests = []
    for digest, results in found.items():
        numbers, bases, times = zip(*results, strict=True)
        newest = _latest(times)
        digests.append(
            Digest(
                digest,
                bases[0].engine,
                joined(list(bases), "policies"),
                joined(list(bases), "code_sets"),
                tuple(sorted(numbers)),
                newest,
                newest is not None and read.now - newest <= LIVE_S,
            )
        )
    return sorted(digests, key=lambda one: one.last_result or 0.0, reverse=True)


def _letters(counts: Counts) -> list[DeadLetters]:
    return [
        DeadLetters(reason, count.letters, count.redriven)
        for reason, count in sorted(counts.items(), key=lambda item: (item[0] is None, item[0]))
    ]


def _totals(lanes: Sequence[Lane], letters: Counts | None) -> Totals:
    return Totals(
        len(lanes),
        sum(lane.owner is not None for lane in lanes),
        sum(lane.lag_records for lane in lanes),
        _latest(lane.lag_seconds for lane in lanes),
        sum(lane.blocked_records for lane in lanes),
        _latest(lane.last_commit for lane in lanes),
        None if letters is None else sum(count.letters for count in letters.values()),
        None if letters is None else sum(count.redriven for count in letters.values()),
    )


def _latest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _age(ms: int, now: float) -> float | None:
    """Seconds since a time; None of a record without one. Clocks differ: none is negative."""
    return None if ms < 0 else max(0.0, round(now - ms / 1000, 3))
