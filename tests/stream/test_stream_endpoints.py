"""What a running worker shows: health, metrics, and the form of its results and logs."""

from __future__ import annotations

import asyncio
import sys
from typing import get_args

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.stream.killing import events
from tests.stream.oracle import decided, fold
from tests.stream.streamkit import PARTITIONS, Stream, claims, partition, placed, until
from worker.adjudication import Limits
from worker.adjudication.history import Change
from worker.settings import Settings
from worker.stream.core import Core
from worker.stream.engine import Engine


async def test_results_are_cloudevents_with_key_timestamp_and_trace_of_their_cause(stream: Stream) -> None:
    (claim,) = claims(1, seed=31)
    event = orjson.loads(claim.value or b"") | {"time": "2026-05-04T10:00:00Z"}
    trace = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    record = claim._replace(value=orjson.dumps(event), headers=[trace, ("unrelated", b"1")])
    stream.worker(result_source="/here")
    await stream.publish([record], timestamp=1_777_888_999_000)
    await stream.drained(1)
    ((result,),) = (await stream.results()).values()
    assert [result.value] == decided(record)
    assert (result.key, result.partition) == (record.key, partition(record))
    assert result.timestamp == 1_777_888_999_000
    assert dict(result.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": orjson.loads(result.value)["result_id"].encode(),
        "ce_source": b"/here",
        "ce_type": b"mms.claim.adjudicated.v1",
        "ce_time": b"2026-05-04T10:00:00Z",
        "content-type": b"application/json",
        trace[0]: trace[1],
    }


async def test_endpoints_tell_health_and_what_was_done(
    stream: Stream, capsys: pytest.CaptureFixture[str]
) -> None:
    records = claims(200, seed=32)
    spoiled = [record._replace(value=b"{") for record in claims(3, seed=33)]
    worker = stream.worker()
    await worker.ready()
    await stream.publish([*records, *spoiled])
    await stream.drained(203)

    assert (await worker.get("/livez"))[0] == 200
    assert (await worker.get("/readyz"))[0] == 200
    for state in ("/", "/router/", "/table/", "/stats/"):
        assert (await worker.get(state))[0] == 404

    input_topic = stream.settings.input_topic
    consumed = f'mms_records_consumed_total{{topic="{input_topic}"}}'

    async def is_counted() -> bool:
        return await worker.metric(consumed) == 203

    await until(is_counted, "the last batch to be counted")
    assert await worker.metric('mms_dead_letters_total{reason="undecodable"}') == 3
    assert await worker.metric('mms_events_total{type="mms.claim.submitted.v1"}') == 200
    assert await worker.metric("mms_assigned_partitions") == PARTITIONS
    assert await worker.metric("mms_batch_records_sum") == 203
    outcomes = [orjson.loads(value)["outcome"] for value in decided(*records)]
    for outcome in set(outcomes):
        counted = await worker.metric(f'mms_decisions_total{{outcome="{outcome}"}}')
        assert counted == outcomes.count(outcome)

    async def is_caught_up() -> bool:
        samples = [
            f'mms_consumer_lag_records{{partition="{number}",topic="{input_topic}"}}' for number in range(4)
        ]
        return [await worker.metric(sample) for sample in samples] == [0.0] * 4

    await until(is_caught_up, "a lag of zero")

    _, body = await worker.get("/metrics")
    families = list(text_string_to_metric_families(body))
    assert all(family.name.startswith(("mms_", "process_")) and family.documentation for family in families)
    assert "MBR-" not in body
    assert "CLM-" not in body

    (joining,) = worker.said("joining group")
    with capsys.disabled():
        sys.stdout.write(f"\nprocess start to JoinGroup: {joining['seconds_since_process_start']} s\n")


async def test_histories_and_what_they_changed_are_counted(stream: Stream) -> None:
    records = events(600, seed=34, members=30)
    worker = stream.worker(history_look_back_days=60)
    await stream.publish(records)
    await stream.drained(600)
    by_partition = {
        number: fold(inputs, Limits(look_back_days=60)) for number, inputs in placed(records).items()
    }
    accepted = [one for answers in by_partition.values() for one in answers.accepted]

    async def is_counted() -> bool:
        consumed = f'mms_records_consumed_total{{topic="{stream.settings.input_topic}"}}'
        return await worker.metric(consumed) == 600

    await until(is_counted, "the last batch to be counted")
    for number, answers in by_partition.items():
        held = answers.histories.values()
        assert await worker.metric(f'mms_history_members{{partition="{number}"}}') == len(held)
        assert await worker.metric(f'mms_history_bytes{{partition="{number}"}}') == sum(map(len, held))
    again = {cause: sum(one.again for one in accepted if one.change == cause) for cause in get_args(Change)}
    for cause, times in again.items():
        assert await worker.metric(f'mms_readjudications_total{{cause="{cause}"}}') == times
    assert again["claim"] > 0
    evicted = sum(one.evicted for one in accepted)
    assert await worker.metric("mms_history_evictions_total") == evicted > 0
    assert await worker.metric("mms_restore_duration_seconds_count") == PARTITIONS
    _, body = await worker.get("/metrics")
    results = [line for line in body.splitlines() if line.startswith("mms_decisions_total{")]
    latencies = [
        line for line in body.splitlines() if line.startswith("mms_end_to_end_latency_seconds_count")
    ]
    published = sum(len(one.results) for one in accepted)
    for samples in (results, latencies):
        assert sum(float(sample.rpartition(" ")[2]) for sample in samples) == published


def unloadable(_: Settings) -> Core:
    raise NotImplementedError


async def test_readiness_says_what_it_waits_for() -> None:
    engine = Engine(Settings(), unloadable)
    assert engine.not_ready() == [
        "policies and code sets",
        "brokers that answer, with topics as they must be",
        "an assignment from the group",
    ]
    await engine.stop()
    assert engine.not_ready() == ["the worker is stopping"]


async def test_a_log_line_of_a_library_has_the_form_of_all_others(stream: Stream) -> None:
    worker = stream.worker()
    await worker.ready()
    lines = [orjson.loads(line) for line in worker.text.splitlines()]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    await asyncio.to_thread(worker.stop, 20)
    assert worker.exit_code == 0
