"""The comparison with the field without Kafka: what is judged, how ratios and targets come about."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from confluent_kafka import KafkaError, KafkaException
from rich.console import Console

from tests.bench.field import __main__ as driver
from tests.bench.field import cores, throughput
from tests.bench.field.__main__ import Field, shuffled, version_of
from tests.bench.field.contestants import CONTESTANTS, OURS, Contestant
from tests.bench.field.cores import Cores
from tests.bench.field.judging import Mark, Results, Verdict, cause_mark, collected, compared, mark
from tests.bench.field.latency import Latency
from tests.bench.field.running import RunFailed
from tests.bench.field.sampling import Sample
from tests.bench.field.standing import Spread, Standing, standings
from tests.bench.field.targets import latency_targets, lines, targets
from tests.bench.field.throughput import Place, Round, Span

EXACT = Verdict(0, 0, 0, 0, 0, 0, 0)
BY_NAME = {one.name: one for one in CONTESTANTS}


def plain(text: str, headers: str = "h", timestamp: int = 1) -> Mark:
    return Mark(text.encode(), headers.encode(), timestamp)


def results(*partitions: list[Mark]) -> Results:
    return Results([list(range(len(marks))) for marks in partitions], list(partitions))


A, B, C = plain("a"), plain("b"), plain("c")


@pytest.mark.parametrize(
    ("found", "faults", "said"),
    [
        ([[A, B], [C]], {}, "exact"),
        ([[A], [C]], {"lost": 1}, "1 lost"),
        ([[A, B, B], [C]], {"twice": 1}, "1 twice"),
        ([[A, A], [C]], {"lost": 1, "twice": 1}, "1 lost, 1 twice"),
        ([[A, B, plain("d")], [C]], {"other": 1}, "1 other"),
        ([[A, B, C], []], {"lost": 1, "other": 1}, "1 lost, 1 other"),
        ([[B, A], [C]], {"reordered": 1}, "1 reordered"),
        ([[plain("a", "g"), B], [C]], {"headers": 1}, "1 headers"),
        ([[plain("a", timestamp=2), B], [C]], {"timestamps": 1}, "exact, but times"),
    ],
)
def test_a_verdict_names_each_fault(found: list[list[Mark]], faults: dict[str, int], said: str) -> None:
    verdict = compared([[A, B], [C]], results(*found), "bytes")
    fields = ("lost", "twice", "other", "reordered", "headers", "timestamps")
    assert {name: count for name in fields if (count := getattr(verdict, name))} == faults
    assert str(verdict) == said
    assert verdict.is_exact == (not faults.keys() - {"timestamps"})


class Record(NamedTuple):
    """A consumed record."""

    cause: Any

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def key(self) -> bytes:
        return b"member"

    def value(self) -> bytes:
        return b"no JSON" if self.cause is None else orjson.dumps({"cause": self.cause})

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 0, 1


ONE, TWO = ({"source": "/s", "id": name, "type": "t"} for name in ("1", "2"))


@pytest.mark.parametrize(
    ("causes", "said"),
    [
        ([ONE, TWO], "causes alone"),
        ([TWO, ONE], "causes alone"),
        ([ONE, ONE], "1 lost, 1 twice, by causes"),
        ([ONE, {**TWO, "source": "/other"}], "1 lost, 1 other, by causes"),
        ([ONE, TWO, None], "1 other, by causes"),
        ([ONE, TWO, {}], "1 other, by causes"),
        ([ONE, TWO, "2"], "1 other, by causes"),
    ],
)
def test_lost_and_doubled_causes_do_not_cancel(causes: list[Any], said: str) -> None:
    expected = [[cause_mark(b"member", one, 5) for one in (ONE, TWO)]]
    verdict = compared(expected, collected(map(Record, causes), 1, "causes"), "causes")
    assert str(verdict) == said


def test_the_order_of_headers_means_nothing_and_their_bounds_do() -> None:
    ab = mark(b"k", b"v", [("a", b"1"), ("b", b"2")], 1)
    assert ab == mark(b"k", b"v", [("b", b"2"), ("a", b"1")], 1)
    assert ab != mark(b"k", b"v", [("a", b"1b2")], 1)


def sample(at: float, *ends: int) -> Sample:
    return Sample(at, ends, cpu=at / 2, broker_cpu=at / 4, driver_cpu=at / 8)


@pytest.mark.parametrize(("ends", "count"), [((0, 0), 0), ((1, 0), 1), ((2, 5), 1), ((3, 6), 3), ((4, 6), 4)])
def test_markers_of_transactions_are_no_results(ends: tuple[int, int], count: int) -> None:
    assert sample(0, *ends).visible([[0, 2, 3], [5]]) == count


def test_a_span_ends_at_the_first_sample_that_sees_all() -> None:
    found = Results([[0, 1, 2]], [[A, B, C]])
    span = Span(sample(2, 1), [sample(2, 1), sample(3, 2), sample(4, 3), sample(9, 3)], found)
    assert (span.results, span.seconds, span.cpu) == (2, 2, 1)
    assert (span.broker_cpu, span.driver_cpu) == (0.5, 0.25)


def test_a_span_that_no_sample_ends_is_a_failure() -> None:
    with pytest.raises(RunFailed, match="all 3 results"):
        Span(sample(2, 1), [sample(2, 2)], Results([[0, 1, 2]], [[A, B, C]]))


def a_round(name: str, number: int, rate: float, verdict: Verdict = EXACT, exit_code: int = 0) -> Round:
    figures = dict.fromkeys(("seconds", "sending_s", "cpu_us", "core", "broker_core", "driver_core"), 1.0)
    return Round(
        contestant=name, number=number, events=1, results=1, rate=rate, peak=number, exit_code=exit_code,
        verdict=verdict, **figures,
    )  # fmt: skip


def stood(*rounds: Round) -> list[Standing]:
    names: list[Contestant] = [BY_NAME[name] for name in dict.fromkeys(one.contestant for one in rounds)]
    return standings(names, rounds, {OURS: "1.0"})


def test_ratios_are_of_rounds_that_both_have() -> None:
    ours, other = stood(
        a_round(OURS, 1, 100), a_round(OURS, 2, 90), a_round(OURS, 3, 110),
        a_round("quix_eos", 1, 50), a_round("quix_eos", 2, 30), a_round("quix_eos", 4, 1000),
    )  # fmt: skip
    assert (ours.name, ours.version, ours.rate) == (OURS, "1.0", Spread(100, 90, 110))
    assert (other.version, other.ours_to_it, other.peak) == ("unknown", Spread(2.5, 2, 3), 4)


def test_without_ours_there_is_no_ratio_and_no_target() -> None:
    found = stood(a_round("quix_eos", 1, 50))
    assert found[0].ours_to_it is None
    assert targets(found) == []


def test_the_first_fault_and_a_bad_end_are_told() -> None:
    lost = Verdict(1, 2, 0, 0, 0, 0, 0)
    found = stood(a_round("quix_eos", 1, 50), a_round("quix_eos", 2, 50, lost, exit_code=3))
    assert found[0].output == "2 lost, exit code 3"


def test_targets_are_against_the_fastest_of_a_kind_and_never_the_reference() -> None:
    found = targets(
        stood(
            a_round(OURS, 1, 100), a_round("kafka_streams", 1, 1000), a_round("confluent_changelog", 1, 80),
            a_round("confluent_transactions", 1, 125), a_round("quix_eos", 1, 50),
            a_round("confluent_loop", 1, 100), a_round("faust_agent", 1, 10), a_round("faust_table", 1, 20),
        )
    )  # fmt: skip
    assert [(one.against, one.ours_to_it.median, one.is_met, one.is_above) for one in found] == [
        ("confluent_transactions", 0.8, False, None),
        ("confluent_changelog", 1.25, True, None),
        ("confluent_loop", 1.0, True, False),
        ("faust_agent", 10.0, True, None),
        ("faust_table", 5.0, False, None),
    ]
    exactly, at_least, faust = lines(found)
    assert "confluent_transactions, 0.80 (0.80 to 0.80; at least 1 not met)" in exactly
    assert at_least.endswith("confluent_loop, 1.00 (1.00 to 1.00; at least 0.8 met, above 1 not met)")
    assert faust.count("at least 10") == 2


def test_what_was_not_measured_is_said() -> None:
    assert [line.rpartition(": ")[2] for line in lines([])] == ["not measured"] * 3


@pytest.mark.parametrize(
    ("rate", "p50", "p99", "is_met"),
    [
        (10, 30, 100, True),
        (10, 31, 100, False),
        (10, 30, 101, False),
        (9000, 50, 200, True),
        (9000, 51, 1, False),
    ],
)
def test_latency_targets_depend_on_the_load(rate: float, p50: float, p99: float, is_met: bool) -> None:
    measured = [Latency(name, rate, 100, 0, p50, p99, p99, p99, 0.0, 0.0) for name in (OURS, "kafka_streams")]
    assert [one.is_met for one in latency_targets(measured)] == [is_met]


@pytest.mark.parametrize(
    ("physical", "dealt"),
    [
        ({0: "0 0"}, Cores(None, None)),
        ({0: "0 0", 1: "0 1"}, Cores(0, 1, True)),
        ({0: "0 0", 1: "0 0"}, Cores(0, 1, False)),
        ({0: "0 0", 1: "0 0", 2: "0 1"}, Cores(0, 2, True)),
        ({0: "0 0", 4: "1 0"}, Cores(0, 4, True)),
        ({2: None, 3: None}, Cores(2, 3, None)),
    ],
)
def test_two_physical_cores_are_preferred(physical: dict[int, str | None], dealt: Cores) -> None:
    assert cores.chosen(list(physical), physical) == dealt


def no_topic(bootstrap: str, prefix: str) -> None:
    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def a_place(notes: list[str]) -> Place:
    return Place("nowhere:1", 1, 8, Cores(None, None), Path(), notes.append)


def test_topics_that_stay_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "delete", no_topic)
    notes: list[str] = []
    a_place(notes).clear("ours-01")
    assert [note.partition(" KafkaE")[0] for note in notes] == ["the topics of ours-01 were not deleted:"]


def driven(
    monkeypatch: pytest.MonkeyPatch, failing: dict[str, BaseException]
) -> tuple[Field, list[str], int]:
    """Four rounds of three contestants, some of which always fail: who was run, how often all was saved."""
    ran: list[str] = []
    saved: list[int] = []

    def measured(one: Contestant, number: int, given: object, place: Place) -> Round:
        ran.append(f"{one.name} {number}")
        if one.name in failing:
            raise failing[one.name]
        return a_round(one.name, number, 1)

    monkeypatch.setattr(throughput, "measured", measured)
    monkeypatch.setattr(driver, "prepared", lambda *_: None)
    options = Namespace(rounds=4, events=10, members=10, partitions=8, latency=False)
    contestants = [BY_NAME[name] for name in (OURS, "confluent_loop", "quix_eos")]
    field = Field(contestants, options, Console(quiet=True))
    with suppress(KeyboardInterrupt):
        field.measure(a_place([]), lambda: saved.append(len(field.rounds)))
    return field, ran, len(saved)


def test_who_fails_twice_is_left_out_and_the_worker_never(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = {OURS: ValueError("of\nmany lines"), "quix_eos": RunFailed("ended\nits log")}
    field, ran, saved = driven(monkeypatch, failing)
    assert ran[0] == f"{OURS} 0", "the broker is warmed up first"
    counts = Counter(one.split()[0] for one in ran)
    assert counts == {OURS: 5, "confluent_loop": 4, "quix_eos": 2}
    assert saved == 4
    assert [one.number for one in field.rounds] == [1, 2, 3, 4]
    assert field.errors[0] == "warming up the broker: ValueError: of"
    assert "round 1: quix_eos: ended\nits log" in field.errors


def test_the_discarded_run_is_no_round(monkeypatch: pytest.MonkeyPatch) -> None:
    field, _, _ = driven(monkeypatch, {})
    assert (len(field.rounds), field.errors) == (12, [])


def test_an_interrupt_keeps_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    field, ran, _ = driven(monkeypatch, {"quix_eos": KeyboardInterrupt()})
    assert len(field.rounds) == len(ran) - 2, "but for the discarded run and the one that was interrupted"


def test_the_order_of_a_round_is_its_own_and_the_same_again() -> None:
    orders = [shuffled(CONTESTANTS, number) for number in range(1, 6)]
    assert orders == [shuffled(CONTESTANTS, number) for number in range(1, 6)]
    assert len({tuple(one.name for one in order) for order in orders}) == 5
    assert all({one.name for one in order} == BY_NAME.keys() for order in orders)


def test_a_version_that_cannot_be_asked_for_is_unknown() -> None:
    def missing() -> str:
        raise OSError("no such interpreter")

    assert version_of(BY_NAME[OURS]._replace(version=missing)) == "unknown"
