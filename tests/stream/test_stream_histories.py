"""Member histories on a stream: what is published of them, what is refused, what is restored."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.stream.inprocess import working
from tests.stream.oracle import assert_exactly_once
from tests.stream.story import stories
from tests.stream.streamkit import Stream, partition, until
from worker.adjudication.stored import VERSION
from worker.stream import lane as lane_module


async def test_a_decision_that_changes_is_published_as_the_next_revision(stream: Stream) -> None:
    ((claim, twin, void, _, claim_id),) = stories(74)
    records = [claim, twin, void]
    stream.worker()
    await stream.publish(records)
    await stream.drained(3)
    await assert_exactly_once(stream, records)
    published = [orjson.loads(record.value) for record in (await stream.results())[partition(claim)]]
    own = [result for result in published if result["claim_id"] == claim_id]
    assert [(result["revision"], result["outcome"]) for result in own] == [
        (1, "pay"),
        (2, "deny"),
        (3, "pay"),
    ]
    first, second, third = own
    assert [result["supersedes"] for result in own] == [None, first["result_id"], second["result_id"]]
    (finding,) = [
        finding for finding in third["lines"][0]["findings"] if finding["rule"] == "history.readjudicated"
    ]
    assert finding["evidence"] == {"claim": f"{claim_id}-twin", "event": "mms.claim.voided.v1"}


async def test_a_worker_that_starts_between_two_claims_of_a_member_knows_the_first(stream: Stream) -> None:
    members = stories(75, count=20)
    early = [story.claim for story in members]
    late = [record for story in members for record in (story.twin, story.void)]
    worker = stream.worker()
    await stream.publish(early)
    await stream.drained(20)
    await asyncio.to_thread(worker.stop, 20)
    assert worker.exit_code == 0
    stream.worker()
    await stream.publish(late)
    await stream.drained(60)
    await assert_exactly_once(stream, [*early, *late])


async def test_events_that_are_sent_again_are_committed_and_publish_nothing(stream: Stream) -> None:
    ((claim, twin, *_),) = stories(76)
    worker = stream.worker()
    await stream.publish([claim, twin])
    await stream.drained(2)
    published = await stream.results()
    await stream.publish([claim, twin, claim])
    await stream.drained(5)
    assert await stream.results() == published
    assert not await stream.dead_letters()
    assert worker.exit_code is None


async def test_an_event_of_a_claim_never_seen_is_a_dead_letter_until_it_is_sent_again_behind_it(
    stream: Stream,
) -> None:
    ((_, twin, void, *_),) = stories(77)
    records = [void, twin, void]
    stream.worker()
    await stream.publish(records)
    await stream.drained(3)
    await assert_exactly_once(stream, records)
    ((letter,),) = (await stream.dead_letters()).values()
    assert dict(letter.headers)["mms.dlq.reason"] == b"unknown_claim"
    published = [orjson.loads(record.value) for record in (await stream.results())[partition(twin)]]
    assert [result["outcome"] for result in published] == ["pay", "void"]


async def test_a_history_that_its_topic_does_not_take_stops_the_worker_and_publishes_nothing(
    stream: Stream,
) -> None:
    ((claim, *_),) = stories(78)
    topic = stream.settings.changelog_topic
    # The results that it sent with it are read as soon as their transaction times out.
    worker = stream.worker(batch_deadline_s=1.5, transaction_timeout_s=2)
    await worker.ready()
    async with stream.administration() as client:
        small = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "100"})
        await client.alter_configs([small])
    await stream.publish([claim])
    assert await worker.ended() == 2
    (stop,) = worker.said("worker stops")
    assert f"topic {topic} does not take its record" in stop["reason"]
    assert await stream.committed() == 0
    assert not await stream.results()


async def test_a_history_of_an_unknown_version_is_refused(stream: Stream) -> None:
    ((claim, *_),) = stories(79)
    async with AIOKafkaProducer(bootstrap_servers=stream.settings.bootstrap_servers) as producer:
        await producer.send_and_wait(
            stream.settings.changelog_topic,
            bytes([VERSION + 1]) + b"history",
            key=claim.key,
            partition=partition(claim),
        )
    worker = stream.worker()
    assert await worker.ended() == 2
    (stop,) = worker.said("worker stops")
    assert f"version {VERSION + 1}" in stop["reason"]
    assert f"version {VERSION}" in stop["reason"]
    assert stream.settings.changelog_topic in stop["reason"]
    assert (claim.key or b"").decode() not in worker.text


async def test_a_worker_is_not_ready_before_its_histories_are_restored_and_stops_meanwhile(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    restoring = asyncio.Event()

    async def hanging(*_: object) -> None:
        restoring.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(lane_module, "restore", hanging)
    async with working(stream.settings) as (engine, _):
        await restoring.wait()
        await until(lambda: "the lane of partition 0" in engine.not_ready(), "an assignment")
