"""Whether a stream has come to what its input must come to: nothing lost, nothing twice, nothing else.

The oracle reads the input topic as it is and folds it by the pure function alone, a partition at a time and
as many at once as there are cores. Of results it holds digests only: there may be millions.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from hashlib import blake2b
from multiprocessing import get_context
from typing import NamedTuple, TypeAlias

from aiokafka import ConsumerRecord, TopicPartition
from rich.console import Console

from tests.stream.oracle import answer_to, letter_of
from worker.adjudication import Rejected, encode
from worker.settings import Settings
from worker.stream.bounded import reader, up_to_end
from worker.stream.restore import restore

Mark: TypeAlias = bytes | tuple[int, str]
"""A digest of a result, or offset and reason of a dead letter."""


class Verdict(NamedTuple):
    """What was found of one partition, or of all together."""

    records: int
    results: int
    dead_letters: int
    lost: int
    """Results and dead letters that the oracle has and the stream has not."""
    twice: int
    """Those that the stream has more often than the oracle."""
    other: int
    """Those that the oracle has not at all."""
    misplaced: int
    """Partitions that have the right ones in another order."""
    histories: int
    """Members whose history is not the oracle's."""

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.twice or self.other or self.misplaced or self.histories)


def judge(settings: Settings, console: Console) -> Verdict:
    """Judge all partitions and print what was found."""
    partitions = range(settings.partitions)
    with (
        console.status("comparing with the oracle"),
        ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as processes,
    ):
        verdicts = list(processes.map(partial(_judged, settings), partitions))
    verdict = Verdict(*map(sum, zip(*verdicts, strict=True)))
    console.print(
        f"{verdict.records:,} events came to {verdict.results:,} results and {verdict.dead_letters:,} dead "
        f"letters; against the oracle {verdict.lost:,} lost, {verdict.twice:,} twice, {verdict.other:,} "
        f"other, {verdict.misplaced} partitions out of order, {verdict.histories:,} histories that differ",
        soft_wrap=True,
    )
    return verdict


def _judged(settings: Settings, number: int) -> Verdict:
    return asyncio.run(_judge(settings, number))


async def _judge(settings: Settings, number: int) -> Verdict:
    expected, letters, histories, records = await _oracle(settings, number)
    found = [_mark(record) async for record in _committed(settings, settings.results_topic, number)]
    dead = [letter_of(record) async for record in _committed(settings, settings.dead_letter_topic, number)]
    kept = (await restore(number, settings)).histories
    lost, twice, other = (
        sum(counts) for counts in zip(_differences(expected, found), _differences(letters, dead), strict=True)
    )
    is_ordered = (found, dead) == (expected, letters)
    return Verdict(
        records,
        len(found),
        len(dead),
        lost,
        twice,
        other,
        int(not is_ordered and not (lost or twice or other)),
        sum(kept.get(member) != histories.get(member) for member in kept.keys() | histories.keys()),
    )


async def _oracle(
    settings: Settings, number: int
) -> tuple[list[bytes], list[tuple[int, str]], dict[bytes, bytes], int]:
    """What a partition must come to: marks of results and dead letters, histories; and its input records."""
    count = 0
    results: list[bytes] = []
    letters: list[tuple[int, str]] = []
    histories: dict[bytes, bytes] = {}
    async for record in _committed(settings, settings.input_topic, number):
        count += 1
        answer = answer_to(record, histories, settings.limits)
        if isinstance(answer, Rejected):
            letters.append((record.offset, answer.reason))
        else:
            results += [_digest(record.key or b"", encode(result)) for result in answer.results]
    return results, letters, histories, count


async def _committed(settings: Settings, topic: str, number: int) -> AsyncIterator[ConsumerRecord]:
    async with reader(settings) as consumer:
        async for records in up_to_end(consumer, TopicPartition(topic, number), settings.request_timeout_s):
            for record in records:
                yield record


def _mark(record: ConsumerRecord) -> bytes:
    return _digest(record.key or b"", record.value or b"")


def _digest(key: bytes, value: bytes) -> bytes:
    return blake2b(value, key=key[:64], digest_size=16).digest()


def _differences(expected: Sequence[Mark], found: Sequence[Mark]) -> tuple[int, int, int]:
    """How many are lost, there too often, and not expected at all."""
    wanted, there = Counter(expected), Counter(found)
    added = there - wanted
    other = sum(count for mark, count in added.items() if mark not in wanted)
    return sum((wanted - there).values()), sum(added.values()) - other, other
