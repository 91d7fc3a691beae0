"""The judge finds each thing that can go wrong, counts it once, and finds nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import islice, pairwise
from typing import Any, NamedTuple

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from tests.chaos.evidence import Ends, Evidence, Seen, Sent, by_place, seen
from tests.chaos.load import records
from tests.chaos.verdict import SENTENCES, Verdict, verdict
from tests.stream.streamkit import partition
from worker.settings import Settings
from worker.stream.core import load_core
from worker.stream.deciding import Decider
from worker.stream.histories import Histories
from worker.stream.outgoing import Outgoing

SETTINGS = Settings.model_construct(partitions=2)
RECORDS = 240
MEMBERS = 24
PLACE = 0
"""The partition to which things happen."""

Log = list[ConsumerRecord]


class Run(NamedTuple):
    """What there is to be judged."""

    source: dict[int, Log]
    results: dict[int, Log]
    dead_letters: dict[int, Log]
    evidence: Evidence

    def judged(self) -> Verdict:
        return verdict(SETTINGS, self.source, self.results, self.dead_letters, self.evidence)


def record(topic: str, number: int, offset: int, one: Outgoing) -> ConsumerRecord:
    headers = tuple(one.headers)
    return ConsumerRecord(topic, number, offset, one.timestamp, 0, one.key, one.value, None, 0, 0, headers)


def log(topic: str, number: int, written: Sequence[Outgoing]) -> Log:
    """What was written, with a transaction's marker after each record: offsets have gaps."""
    return [record(topic, number, 2 * place, one) for place, one in enumerate(written)]


@cache
def worked() -> tuple[dict[int, Log], dict[int, Log], dict[int, Log], dict[int, dict[bytes, bytes]]]:
    """Input, results, dead letters and histories as the worker's own code makes them, without Kafka."""
    source: dict[int, Log] = {0: [], 1: []}
    for sent in islice(records(7, MEMBERS), RECORDS):
        number = partition(sent, SETTINGS.partitions)
        there = source[number]
        outgoing = Outgoing(sent.key, sent.value, 1_700_000_000_000, sent.headers)
        there.append(record(SETTINGS.input_topic, number, len(there), outgoing))
    core = load_core(SETTINGS)
    decider = Decider(core.adjudicate, core.encode, SETTINGS, now=lambda: 0.0)
    results, letters, states = {}, {}, {}
    for number, there in source.items():
        states[number] = dict[bytes, bytes]()
        decided = decider.decide(there, Histories(states[number]))
        results[number] = log(SETTINGS.results_topic, number, decided.results)
        letters[number] = log(SETTINGS.dead_letter_topic, number, decided.dead_letters)
    return source, results, letters, states


def clean() -> Run:
    """A run in which all is well, to be harmed."""
    source, results, letters, states = worked()
    final = by_place(SETTINGS.results_topic, results) | by_place(SETTINGS.dead_letter_topic, letters)
    evidence = Evidence(
        sent=Sent(
            {place: list(map(seen, log)) for place, log in by_place(SETTINGS.input_topic, source).items()}, 0
        ),
        watched={place: list(map(seen, log)) for place, log in final.items()},
        committed={number: [0, len(log) // 2, len(log)] for number, log in source.items()},
        at_end={number: (len(log), len(log)) for number, log in source.items()},
        histories=({number: dict(members) for number, members in states.items()},),
        replayed=[one.value for number in sorted(results) for one in results[number]],
        ends={
            TopicPartition(SETTINGS.input_topic, number): Ends(len(log), len(log))
            for number, log in source.items()
        },
    )
    return Run(source, {**results}, {**letters}, evidence)


def unwatched(run: Run) -> Run:
    """The same without those who looked on: what is wrong is wrong with the records alone."""
    return run._replace(evidence=Evidence())


def in_results(change: Callable[[Log], Log]) -> Callable[[Run], Run]:
    def harm(run: Run) -> Run:
        return unwatched(run._replace(results={**run.results, PLACE: change(list(run.results[PLACE]))}))

    return harm


def in_letters(change: Callable[[Log], Log]) -> Callable[[Run], Run]:
    def harm(run: Run) -> Run:
        letters = {**run.dead_letters, PLACE: change(list(run.dead_letters[PLACE]))}
        return unwatched(run._replace(dead_letters=letters))

    return harm


def in_evidence(**change: Callable[[Any], Any]) -> Callable[[Run], Run]:
    def harm(run: Run) -> Run:
        changed = {name: alter(getattr(run.evidence, name)) for name, alter in change.items()}
        return run._replace(evidence=run.evidence._replace(**changed))

    return harm


def changed(log: Log, at: int, **values: Any) -> Log:
    """The log with another record at one place; a value may be a function of the one that was there."""
    old = log[at]
    new = {name: value(getattr(old, name)) if callable(value) else value for name, value in values.items()}
    return [*log[:at], ConsumerRecord(**{**vars_of(old), **new}), *log[at + 1 :]]


def vars_of(one: ConsumerRecord) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ConsumerRecord.__dataclass_fields__}


def other_byte(value: bytes) -> bytes:
    return value[:40] + bytes([value[40] ^ 1]) + value[41:]


def swapped(log: Log, at: int, to: int) -> Log:
    log[at], log[to] = log[to], log[at]
    return log


def neighbours(log: Log, *, of_one_member: bool) -> int:
    """The place of the first of two records that are of one member, or of two."""
    pairs = enumerate(pairwise(log))
    return next(at for at, (one, other) in pairs if (one.key == other.key) is of_one_member)


def with_header(name: str, other: bytes) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    return lambda headers: tuple((one, other if one == name else value) for one, value in headers)


def without_header(name: str) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    return lambda headers: tuple((one, value) for one, value in headers if one != name)


def of_offset(offset: int) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Error headers that say that the dead letter is of another input record."""
    return with_header("__streams.errors.offset", b"%d" % offset)


def letter_of_a_decided_claim(log: Log) -> Log:
    source, _, letters, _ = worked()
    refused = {int(dict(one.headers)["__streams.errors.offset"]) for one in letters[PLACE]}
    decided = next(one for one in source[PLACE] if one.offset not in refused)
    false = changed([log[0]], 0, key=decided.key, value=decided.value, headers=of_offset(decided.offset))
    return [*log, *false]


def results_of_one_event(log: Log) -> tuple[int, int]:
    """The places of the first two results that have one cause."""
    causes = [one.value.split(b'"cause":')[1].split(b"}")[0] for one in log]
    at = next(at for at in range(len(causes)) if causes[at] == causes[at + 1])
    return at, at + 1


def without(log: Log, *places: int) -> Log:
    return [one for at, one in enumerate(log) if at not in places]


INPUT = TopicPartition(SETTINGS.input_topic, PLACE)
RESULTS = TopicPartition(SETTINGS.results_topic, PLACE)


def at_input(change: Callable[[list[Seen]], list[Seen]], unknown: int = 0) -> Callable[[Sent], Sent]:
    return lambda sent: Sent({**sent.acknowledged, INPUT: change(list(sent.acknowledged[INPUT]))}, unknown)


def of_a_member(change: Callable[[dict[bytes, bytes], bytes], Any]) -> Callable[[Any], Any]:
    """Another history of one member in the first view of the changelog."""

    def alter(views: Any) -> Any:
        members = dict(views[0][PLACE])
        change(members, min(members))
        return ({**views[0], PLACE: members}, *views[1:])

    return alter


HARMS: dict[str, tuple[Callable[[Run], Run], dict[str, int]]] = {
    "nothing happens": (lambda run: run, {}),
    "nobody looks on": (unwatched, {}),
    # the results
    "a result comes twice": (in_results(lambda log: [*log[:6], log[5], *log[6:]]), {"duplicates": 1}),
    "a result comes again later": (in_results(lambda log: [*log, log[5]]), {"duplicates": 1}),
    "a result comes three times": (in_results(lambda log: [*log, log[5], log[5]]), {"duplicates": 1}),
    "two records' results come twice": (in_results(lambda log: [*log, log[5], log[9]]), {"duplicates": 2}),
    "a result is missing": (in_results(lambda log: without(log, 5)), {"losses": 1}),
    "the last result is missing": (in_results(lambda log: log[:-1]), {"losses": 1}),
    "both results of one record are missing": (
        in_results(lambda log: without(log, *results_of_one_event(log))),
        {"losses": 1},
    ),
    "two records' results are missing": (in_results(lambda log: without(log, 5, 9)), {"losses": 2}),
    "two results of a member are swapped": (
        in_results(lambda log: swapped(log, at := neighbours(log, of_one_member=True), at + 1)),
        {"order_violations": 1, "member_order_violations": 1},
    ),
    "results of two members are swapped": (
        in_results(lambda log: swapped(log, at := neighbours(log, of_one_member=False), at + 1)),
        {"order_violations": 1},
    ),
    "a byte of a result is another": (
        in_results(lambda log: changed(log, 5, value=other_byte)),
        {"different": 1},
    ),
    "the key of a result is another": (in_results(lambda log: changed(log, 5, key=b"-")), {"different": 1}),
    "a result comes of nothing": (
        in_results(lambda log: [*log, *changed([log[5]], 0, value=other_byte)]),
        {"extra": 1},
    ),
    # the dead letters
    "a dead letter comes twice": (in_letters(lambda log: [*log, log[2]]), {"duplicates": 1}),
    "a dead letter is missing": (in_letters(lambda log: without(log, 2)), {"losses": 1}),
    "a dead letter is of a claim that was decided": (in_letters(letter_of_a_decided_claim), {"extra": 1}),
    "a dead letter is of no record": (
        in_letters(lambda log: [*log, *changed([log[0]], 0, headers=of_offset(10_000))]),
        {"extra": 1},
    ),
    "two dead letters are swapped": (in_letters(lambda log: swapped(log, 2, 3)), {"order_violations": 1}),
    "a byte of a dead letter is another": (
        in_letters(lambda log: changed(log, 2, value=other_byte)),
        {"different": 1},
    ),
    "a dead letter has another reason": (
        in_letters(lambda log: changed(log, 2, headers=with_header("mms.dlq.reason", b"internal_error"))),
        {"different": 1},
    ),
    "a dead letter has lost a header of its record": (
        in_letters(lambda log: changed(log, 2, headers=lambda headers: headers[1:])),
        {"different": 1},
    ),
    "a dead letter has one header more": (
        in_letters(lambda log: changed(log, 2, headers=lambda headers: (*headers, ("more", b"")))),
        {"different": 1},
    ),
    "a dead letter's last header is missing": (
        in_letters(lambda log: changed(log, 2, headers=lambda headers: headers[:-1])),
        {"different": 1},
    ),
    "a dead letter does not say why": (
        in_letters(lambda log: changed(log, 2, headers=without_header("mms.dlq.reason"))),
        {"different": 1},
    ),
    "two added headers are swapped": (
        in_letters(
            lambda log: changed(log, 2, headers=lambda headers: (*headers[:-2], headers[-1], headers[-2]))
        ),
        {"different": 1},
    ),
    "a dead letter says that it is of another topic": (
        in_letters(lambda log: changed(log, 2, headers=with_header("__streams.errors.topic", b"other"))),
        {"different": 1},
    ),
    "a dead letter says that it is of another partition": (
        in_letters(lambda log: changed(log, 2, headers=with_header("__streams.errors.partition", b"1"))),
        {"different": 1},
    ),
    "a dead letter has another time": (
        in_letters(lambda log: changed(log, 2, timestamp=lambda before: before + 1)),
        {"different": 1},
    ),
    # who looked on
    "a committed offset goes back": (
        in_evidence(committed=lambda seen: {**seen, PLACE: [0, 40, 39, 200]}),
        {"offsets_back": 1},
    ),
    "a committed offset is gone for a while": (
        in_evidence(committed=lambda seen: {**seen, PLACE: [0, 40, -1, 40]}),
        {"offsets_back": 1},
    ),
    "a committed offset stands still": (
        in_evidence(committed=lambda seen: {**seen, PLACE: [0, 40, 40, 200]}),
        {},
    ),
    "a committed offset is not at the end": (
        in_evidence(at_end=lambda seen: {**seen, PLACE: (199, 200)}),
        {"unfinished": 1},
    ),
    "a committed offset is behind the end": (
        in_evidence(at_end=lambda seen: {**seen, PLACE: (201, 200)}),
        {"unfinished": 1},
    ),
    "there is no committed offset in the end": (
        in_evidence(at_end=lambda seen: {**seen, PLACE: (-1, 200)}),
        {"unfinished": 1},
    ),
    "nothing is committed where there was nothing": (
        in_evidence(at_end=lambda seen: {**seen, PLACE: (-1, 0)}),
        {},
    ),
    "a transaction hangs": (in_evidence(ends=lambda ends: {**ends, INPUT: Ends(199, 200)}), {"hanging": 1}),
    "a member's history is another": (
        in_evidence(histories=of_a_member(lambda members, one: members.update({one: members[one] + b"-"}))),
        {"histories_different": 1},
    ),
    "a member's history is missing": (
        in_evidence(histories=of_a_member(lambda members, one: members.pop(one))),
        {"histories_different": 1},
    ),
    "there is a history of nobody": (
        in_evidence(histories=of_a_member(lambda members, _: members.update({b"-": b"-"}))),
        {"histories_different": 1},
    ),
    "a result comes out otherwise when decided again": (
        in_evidence(replayed=lambda values: [*values[:5], other_byte(values[5]), *values[6:]]),
        {"replay_different": 1},
    ),
    "a result does not come when decided again": (
        in_evidence(replayed=lambda values: values[:-1]),
        {"replay_different": 1},
    ),
    "a consumer saw a result that is not there": (
        in_evidence(watched=lambda seen: {**seen, RESULTS: [*seen[RESULTS], Seen(10_000, b"-")]}),
        {"views_different": 1},
    ),
    "a consumer did not see a result": (
        in_evidence(watched=lambda seen: {**seen, RESULTS: seen[RESULTS][1:]}),
        {"views_different": 1},
    ),
    "a consumer saw a result twice": (
        in_evidence(watched=lambda seen: {**seen, RESULTS: [*seen[RESULTS], seen[RESULTS][-1]]}),
        {"views_different": 1},
    ),
    "a record that was acknowledged is not there": (
        in_evidence(sent=at_input(lambda told: [*told, Seen(10_000, b"-")])),
        {"input_different": 1},
    ),
    "a record is not as it was acknowledged": (
        in_evidence(sent=at_input(lambda told: [Seen(0, b"-"), *told[1:]])),
        {"input_different": 1},
    ),
    "a record is there that nobody knows of": (
        in_evidence(sent=at_input(lambda told: told[1:])),
        {"input_different": 1},
    ),
    "a record is there of which the producer was told nothing": (
        in_evidence(sent=at_input(lambda told: told[1:], unknown=1)),
        {},
    ),
}


@pytest.mark.parametrize("name", HARMS)
def test_each_harm_is_found_and_nothing_else_without_naming_a_member(name: str) -> None:
    harm, broken = HARMS[name]
    judged = harm(clean()).judged()
    counted = {*SENTENCES, "member_order_violations"}
    found = {field: count for field in counted if (count := getattr(judged, field))}
    assert found == broken
    assert len(judged.violations) == len(broken.keys() & SENTENCES.keys())
    assert set(judged.first) == broken.keys() & SENTENCES.keys()
    members = {one.key.decode() for log in worked()[0].values() for one in log}
    assert not [member for member in members if member in " ".join(judged.violations)]


def test_the_clean_run_has_results_and_dead_letters_of_many_reasons_in_every_partition() -> None:
    run = clean()
    judged = run.judged()
    assert (judged.records, judged.results) == (RECORDS, sum(map(len, run.results.values())))
    assert judged.dead_letters == sum(map(len, run.dead_letters.values()))
    assert all(run.results.values())
    assert all(run.dead_letters.values())
    reasons = {dict(one.headers)["mms.dlq.reason"] for log in run.dead_letters.values() for one in log}
    assert len(reasons) >= 4
