"""What is counted of a batch, and what a scrape is told; the real endpoints have tests of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Exemplar

from tests.stream.oracle import reference
from tests.stream.streamkit import Clock, Input, claims, neighbours
from worker.adjudication import adjudicate, encode
from worker.settings import Settings
from worker.stream.breaker import Breaker
from worker.stream.core import Core
from worker.stream.deciding import Decided, Decider
from worker.stream.distribution import Distribution
from worker.stream.histories import Histories, Size
from worker.stream.latency import EDGES_S
from worker.stream.metrics import Metrics

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"
OTHER = "4bf92f3577b34da6a3ce929d0e0e4736"


def metrics() -> Metrics:
    return Metrics("in", now=lambda: NOW)


def sample(of: Metrics, series: str, **labels: str) -> float | None:
    return of.registry.get_sample_value(series, labels)


def decided(records: Sequence[Input], histories: Histories | None = None) -> Decided:
    decider = Decider(
        lambda event, history: adjudicate(event, history, reference()),
        encode,
        Settings(key_partition_check=False),
        now=Clock(),
    )
    batch = [
        ConsumerRecord("in", 0, at, 0, 0, one.key, one.value, None, 0, 0, tuple(one.headers))
        for at, one in enumerate(records)
    ]
    return decider.decide(batch, Histories() if histories is None else histories)


def changed(record: Input, seconds_ago: float | None, trace: str | None = None) -> Input:
    """The claim as it happened some seconds ago, in a trace."""
    event = orjson.loads(record.value or b"")
    event.pop("time", None)
    if seconds_ago is not None:
        event["time"] = (NOW - timedelta(seconds=seconds_ago)).isoformat()
    headers = [] if trace is None else [("traceparent", f"00-{trace}-b7ad6b7169203331-01".encode())]
    return record._replace(value=orjson.dumps(event), headers=headers)


def exemplars(of: Metrics) -> list[Exemplar]:
    page = generate_latest(of.registry).decode()
    samples = [one for family in text_string_to_metric_families(page) for one in family.samples]
    return [one.exemplar for one in samples if one.exemplar is not None]


class TestDistribution:
    @pytest.mark.parametrize(
        ("value", "bucket"), [(0.0, "1.0"), (1.0, "1.0"), (1.01, "2.0"), (2.0, "2.0"), (2.01, "+Inf")]
    )
    def test_a_value_on_an_edge_belongs_to_the_bucket_that_ends_there(
        self, value: float, bucket: str
    ) -> None:
        registry = CollectorRegistry()
        Distribution("waits_seconds", "Waits.", (1, 2), registry).of().add(value, 3)
        counts = {
            edge: registry.get_sample_value("waits_seconds_bucket", {"le": edge})
            for edge in ("1.0", "2.0", "+Inf")
        }
        edges = list(counts)
        first = edges.index(bucket)
        assert counts == {edge: 3 if at >= first else 0 for at, edge in enumerate(edges)}
        assert registry.get_sample_value("waits_seconds_count") == 3
        assert registry.get_sample_value("waits_seconds_sum") == pytest.approx(3 * value)


class TestABatch:
    def test_latency_is_told_for_every_result_whose_event_has_a_time(self) -> None:
        told, records = metrics(), claims(3, seed=1)
        waits = [4.9, 5.0, None]
        told.batch(decided([changed(*one) for one in zip(records, waits, strict=True)]), 0.1, 0.2)
        names = {(one.name, one.labels.get("le")): 0.0 for one in latency(told)}
        for one in latency(told):
            names[one.name, one.labels.get("le")] += one.value
        assert names["mms_end_to_end_latency_seconds_bucket", "5.0"] == 2
        assert names["mms_end_to_end_latency_seconds_bucket", "2.0"] == 0
        assert names["mms_end_to_end_latency_seconds_sum", None] == pytest.approx(9.9)

    def test_there_is_a_bucket_edge_at_the_latency_objective(self) -> None:
        assert 5 in EDGES_S

    def test_the_slowest_result_that_was_traced_stands_for_its_bucket(self) -> None:
        told, records = metrics(), claims(4, seed=1)
        batch = [
            changed(records[0], 40),
            changed(records[1], 1.5, TRACE),
            changed(records[2], 0.3, OTHER),
            changed(records[3], None, OTHER),
        ]
        told.batch(decided(batch), 0.1, 0.2)
        (exemplar,) = exemplars(told)
        assert exemplar.labels == {"trace_id": TRACE}
        assert exemplar.value == pytest.approx(1.5)
        assert float(exemplar.timestamp) == NOW.timestamp()

    @pytest.mark.parametrize("hostile", ["0" * 32, "MBR-77", TRACE.upper(), TRACE + '",x="'])
    def test_what_is_no_trace_id_is_no_exemplar(self, hostile: str) -> None:
        told = metrics()
        told.batch(decided([changed(claims(1)[0], 1.5, hostile)]), 0.1, 0.2)
        assert exemplars(told) == []

    def test_a_trace_that_nobody_records_is_no_exemplar(self) -> None:
        told, traced = metrics(), changed(claims(1)[0], 1.5, TRACE)
        unsampled = [(name, value[:-1] + b"0") for name, value in traced.headers]
        told.batch(decided([traced._replace(headers=unsampled)]), 0.1, 0.2)
        assert exemplars(told) == []

    def test_sending_and_committing_are_parts_of_the_commit(self) -> None:
        told = metrics()
        told.batch(decided(claims(2)), 0.1, 0.25)
        stages = {
            stage: sample(told, "mms_batch_duration_seconds_sum", stage=stage) for stage in ("send", "commit")
        }
        assert stages == {"send": pytest.approx(0.1), "commit": pytest.approx(0.15)}
        assert sample(told, "mms_commit_duration_seconds_sum") == pytest.approx(0.25)

    def test_the_time_to_decide_is_counted_once_a_record(self) -> None:
        told, batch = metrics(), decided(claims(7))
        told.batch(batch, 0.1, 0.25)
        assert sample(told, "mms_decision_duration_seconds_count") == 7
        assert sample(told, "mms_decision_duration_seconds_sum") == pytest.approx(batch.seconds)

    def test_units_of_mohs_surgery_are_counted_as_they_were_billed(self) -> None:
        told, records = metrics(), claims(60, seed=3)
        told.batch(decided(records), 0.1, 0.2)
        lines = [line for one in records for line in orjson.loads(one.value or b"")["data"]["lines"]]
        for procedure in ("17311", "17312", "17313", "17314", "17315"):
            billed = sum(line["units"] for line in lines if line["procedure"] == procedure)
            assert sample(told, "mms_mohs_units_billed_total", procedure=procedure) == billed

    def test_facts_that_are_needed_are_counted_for_every_line_that_waits_for_them(self) -> None:
        told, batch = metrics(), decided(claims(400, seed=4))
        told.batch(batch, 0.1, 0.2)
        needed: dict[str, int] = {}
        for one in batch.results:
            for line in orjson.loads(one.value or b"")["documentation_needed"]:
                for fact in line["facts"]:
                    needed[fact] = needed.get(fact, 0) + 1
        assert needed
        assert needed == {fact: sample(told, "mms_facts_needed_total", fact=fact) for fact in needed}


def latency(of: Metrics) -> list[Any]:
    return [
        one
        for family in of.registry.collect()
        if family.name == "mms_end_to_end_latency_seconds"
        for one in family.samples
    ]


class TestTheOldestPend:
    def test_it_waits_since_the_day_on_which_its_claim_was_received(self) -> None:
        told = metrics()
        told.histories(0, Size(1, 10, date(2026, 5, 1).toordinal()))
        told.histories(1, Size(1, 10, date(2026, 4, 30).toordinal()))
        told.histories(2, Size(1, 10, None))
        assert sample(told, "mms_oldest_pend_seconds") == 4.5 * 86_400
        told.histories(1, Size(1, 10, None))
        assert sample(told, "mms_oldest_pend_seconds") == 3.5 * 86_400

    def test_without_a_pend_nothing_waits(self) -> None:
        assert sample(metrics(), "mms_oldest_pend_seconds") == 0

    def test_histories_know_it_whatever_came_and_went(self) -> None:
        histories = Histories()
        records = neighbours(300, seed=9)
        for at in range(0, len(records), 7):
            batch = decided(records[at : at + 7], histories)
            assert batch.histories == Histories(dict(histories._states)).size
        assert histories.size.pended_since is not None


class TestLag:
    def test_it_is_the_age_of_the_oldest_record_that_is_not_committed(self) -> None:
        told = metrics()
        told.behind(3, round(NOW.timestamp() * 1000) - 2500)
        assert sample(told, "mms_consumer_lag_seconds", topic="in", partition="3") == 2.5

    def test_a_record_from_the_future_is_no_lag(self) -> None:
        told = metrics()
        told.behind(3, round(NOW.timestamp() * 1000) + 2500)
        assert sample(told, "mms_consumer_lag_seconds", topic="in", partition="3") == 0

    def test_who_has_caught_up_is_not_behind(self) -> None:
        told = metrics()
        told.behind(3, None)
        assert sample(told, "mms_consumer_lag_seconds", topic="in", partition="3") == 0


class TestWhatDecides:
    def test_policies_end_with_the_last_day_of_their_newest_version(self) -> None:
        told = metrics()
        told.loaded("1", core(policy_ends={"open": None, "closed": date(2026, 6, 30)}))
        ends = {
            name: sample(told, "mms_policy_expiry_timestamp_seconds", policy=name)
            for name in ("open", "closed")
        }
        assert ends == {"open": math.inf, "closed": datetime(2026, 7, 1, tzinfo=UTC).timestamp()}

    def test_code_sets_are_good_until_the_next_release(self) -> None:
        told = metrics()
        told.loaded("1", core(renewals={"icd10cm": date(2026, 10, 1)}))
        end = sample(told, "mms_code_set_expiry_timestamp_seconds", name="icd10cm")
        assert end == datetime(2026, 10, 1, tzinfo=UTC).timestamp()


def core(**given: Any) -> Core:
    nothing = {"releases": (), "renewals": {}, "policy_ends": {}}
    return Core(None, None, "sha256:p", "sha256:c", **(nothing | given))


class TestTheBreakersShare:
    def test_it_is_of_the_records_within_the_window(self) -> None:
        clock = Clock()
        breaker = Breaker(Settings(dead_letter_window_s=60), clock)
        assert breaker.share == 0
        breaker.committed(10, 4)
        clock.time += 30
        breaker.committed(10, 0)
        assert breaker.share == 0.2
        clock.time += 30
        assert breaker.share == 0
