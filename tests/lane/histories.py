"""Member histories as cases: what lies on the input, what it must come to, what was there before."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from aiokafka import TopicPartition

from tests.lane.broker import Broker, Log, Record
from tests.lane.driver import Case, run
from tests.lane.witness import Expected
from tests.lane.world import AT_ONCE, CHANGELOG_FIRST, OFFSETS_FIRST, Manner
from tests.stream.story import stories
from tests.stream.streamkit import Input
from worker.devkit.generator import histories
from worker.settings import Settings

TIME_MS = 1_700_000_000_000
NO_CLAIM = Input(b"somebody", b"no claim", headers=[("trace", b"1"), ("trace", b"2")])
FOREIGN = 7
"""Producer id of somebody who writes to the input in transactions."""


def settings(**overrides: Any) -> Settings:
    given = {"app_id": "lane", "partitions": 1, "dead_letter_limit": 1.0, "batch_max_records": 3}
    return Settings(**{**given, **overrides})


def generated(count: int, seed: int, members: int = 2) -> list[Input]:
    """Events of a few members, of all kinds, with such as become dead letters."""
    events = histories(count, seed, members, strays=True)
    return [Input(event["data"]["member_id"].encode(), orjson.dumps(event)) for event in events]


def twins() -> list[Input]:
    """Two members whose claims decide each other, an event that comes twice, and two dead letters."""
    one, other = stories(seed=5, count=2)
    return [one.claim, NO_CLAIM, one.twin, other.claim, one.claim, one.void, other.twin, NO_CLAIM]


def case(records: Sequence[Input], *, manner: Manner = AT_ONCE, **overrides: Any) -> Case:
    """A case in which the group has never been on the partition."""
    given = settings(**overrides)
    broker = Broker()
    offsets = _append(_input(broker, given), records)
    return Case(given, lambda: copy.deepcopy(broker), Expected(records, offsets, given), manner)


def resumed_case(
    before: Sequence[Input],
    records: Sequence[Input],
    *,
    manner: Manner = AT_ONCE,
    formerly: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Case:
    """A case in which a worker has answered ``before``, and the log cleaner has been at the changelog.

    Behind some records, and at the input's end, there are markers and records of an aborted transaction. The
    former worker's settings are the same but for ``formerly``.
    """
    given = settings(**overrides)
    former = settings(**{**overrides, **(formerly or {})})
    broker = Broker()
    log = _input(broker, given)
    offsets = _append(log, before)
    first = run(Case(former, lambda: broker, Expected(before, offsets, former), manner))
    assert first.violation is None, first.violation
    broker.told = _nobody
    broker.log(TopicPartition(given.changelog_topic, 0)).compact()
    half = len(records) // 2
    offsets += _append(log, records[:half])
    _abort(log)
    offsets += _append(log, records[half:])
    _abort(log)
    expected = Expected([*before, *records], offsets, given)
    return Case(given, lambda: copy.deepcopy(broker), expected, manner)


@cache
def short() -> Case:
    """Two members, three batches, on a partition on which the group has never been."""
    return case(twins())


@cache
def slowly_marked() -> Case:
    """The same on a coordinator that takes its time with markers, the histories' behind the results'."""
    return case(twins(), manner=Manner(marker_s=0.03))


@cache
def resumed() -> Case:
    """One batch and a bit behind what was answered before; a coordinator that takes its time with markers."""
    events = generated(9, seed=2)
    records = [events[6], NO_CLAIM, *events[7:], NO_CLAIM]
    return resumed_case(events[:6], records, manner=Manner(3, 0.03, CHANGELOG_FIRST))


@cache
def documented() -> Case:
    """Two members with documentation, in batches of two; the offset is there before what it is of."""
    return case(generated(7, seed=2), manner=Manner(100, 0.03, OFFSETS_FIRST), batch_max_records=2)


def spoken_to(case: Case, protocol: int) -> Case:
    """The same case where the cluster has agreed to that transaction protocol."""
    return case._replace(manner=case.manner._replace(protocol=protocol))


def _input(broker: Broker, given: Settings) -> Log:
    return broker.log(TopicPartition(given.input_topic, 0))


def _append(log: Log, records: Iterable[Input]) -> list[int]:
    return [log.append(_record(record, log.end)) for record in records]


def _abort(log: Log) -> None:
    log.append(_record(NO_CLAIM, log.end), FOREIGN)
    log.mark(FOREIGN, commit=False)


def _record(record: Input, number: int) -> Record:
    return Record("", 0, 0, TIME_MS + number, record.key, record.value, tuple(record.headers))


def _nobody(_: TopicPartition) -> None:
    """Whom a broker tells that is only looked at."""
