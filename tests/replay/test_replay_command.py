"""``mms-worker replay`` over topics, as an auditor runs it: on a real Kafka, after a real worker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import RecordsToDelete

from tests.replay.test_replay_what_if import moved_policies
from tests.stream.killing import events
from tests.stream.streamkit import Stream
from worker.stream.topics import admin, create_missing, specs

COUNT = 600


@pytest.fixture
async def decided(stream: Stream) -> Stream:
    """A stream whose events a worker has decided."""
    await stream.publish(events(COUNT, 31, 60))
    worker = stream.worker()
    await stream.drained(COUNT)
    worker.stop(20)
    return stream


async def replay(stream: Stream, out: Path, *options: str, **overrides: Any) -> tuple[int, str]:
    """Exit code and output of a replay into ``out``."""
    command = stream.command("replay", "--out", str(out), *options, **overrides)
    process = stream.process(command)
    return await process.ended(), process.text


def counts(out: Path) -> Mapping[str, Any]:
    told: Mapping[str, Any] = orjson.loads((out / "summary.json").read_bytes())["counts"]
    return told


async def test_what_a_worker_has_published_is_reproduced_and_nothing_is_written(
    decided: Stream, tmp_path: Path
) -> None:
    before = await state(decided)
    code, text = await replay(decided, tmp_path / "out", "--processes", "2")
    assert code == 0, text
    assert "reproduced: every published result" in text
    published = sum(map(len, (await decided.results()).values()))
    assert counts(tmp_path / "out")["reproduced"] == published
    assert counts(tmp_path / "out")["events_replayed"] == COUNT
    assert await state(decided) == before


async def state(stream: Stream) -> tuple[object, ...]:
    """Ends of all topics, and groups with their offsets: what a replay must leave as it is."""
    settings = stream.settings
    async with (
        AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers) as consumer,
        stream.administration() as client,
    ):
        places = [
            TopicPartition(topic, number)
            for topic in (settings.input_topic, settings.results_topic, settings.dead_letter_topic)
            for number in range(settings.partitions)
        ]
        groups = sorted(name for name, _ in await client.list_consumer_groups())
        return (
            await consumer.end_offsets(places),
            groups,
            await client.list_consumer_group_offsets(settings.app_id),
        )


async def copied(stream: Stream, topic: str, results: Mapping[int, list[ConsumerRecord]]) -> None:
    """A topic of results with other content."""
    async with admin(stream.settings) as client:
        other = stream.settings.model_copy(update={"results_topic": topic})
        await create_missing(client, specs(other))
    async with AIOKafkaProducer(bootstrap_servers=stream.settings.bootstrap_servers) as producer:
        for number, records in results.items():
            for record in records:
                headers = list(record.headers)
                await producer.send(
                    topic, record.value, record.key, number, timestamp_ms=record.timestamp, headers=headers
                )


def with_value(record: ConsumerRecord, value: bytes) -> ConsumerRecord:
    return ConsumerRecord(
        **{name: getattr(record, name) for name in record.__dataclass_fields__} | {"value": value}
    )


async def test_each_of_four_faults_is_told_as_what_it_is_and_nothing_else_is(
    decided: Stream, tmp_path: Path
) -> None:
    """One byte changed, one result gone, one there twice, and a policy's threshold moved."""
    results = await decided.results()
    one = results[0]
    value = one[5].value or b""
    place = value.index(b'"outcome":"') + 12
    tampered, gone, twice = one[5], one[20], results[1][7]
    one[5] = with_value(one[5], value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :])
    del one[20]
    results[1].insert(30, twice)
    topic = f"{decided.settings.results_topic}.changed"
    await copied(decided, topic, results)
    policies = moved_policies(tmp_path / "policies")

    code, text = await replay(decided, tmp_path / "faults", results_topic=topic)
    assert code == 1, text
    assert counts(tmp_path / "faults")["results_by_cause"] == {"tampered": 1, "missing": 1, "extra": 1}
    rows = (tmp_path / "faults" / "differences.csv").read_text().splitlines()[1:]
    named = {orjson.loads(record.value or b"")["claim_id"] for record in (tampered, gone, twice)}
    assert {claim for claim in named if any(claim in row for row in rows)} == named
    assert all(any(claim in row for claim in named) for row in rows)

    await replay(decided, tmp_path / "moved", "--policies", str(policies))
    moved = counts(tmp_path / "moved")["results_by_cause"]
    assert moved.keys() == {"policy"}
    await replay(decided, tmp_path / "all", "--policies", str(policies), results_topic=topic)
    assert counts(tmp_path / "all")["results_by_cause"] == {"tampered": 1, "missing": 1, "extra": 1, **moved}


async def test_a_topic_whose_beginning_is_gone_is_refused_before_anything_is_done(
    decided: Stream, tmp_path: Path
) -> None:
    async with decided.administration() as client:
        await client.delete_records(
            {TopicPartition(decided.settings.input_topic, 2): RecordsToDelete(before_offset=7)}
        )
    code, text = await replay(decided, tmp_path / "out")
    assert code == 2
    assert "partition 2" in text
    assert "7" in text
    assert not (tmp_path / "out").exists()


async def test_events_that_are_not_decided_yet_are_not_missing(decided: Stream, tmp_path: Path) -> None:
    more = events(COUNT + 200, 31, 60)[COUNT:]
    await decided.publish(more)
    code, text = await replay(decided, tmp_path / "out")
    assert code == 0, text
    assert counts(tmp_path / "out")["events_replayed"] == COUNT


async def test_results_tell_how_far_was_decided_where_the_group_has_lost_its_place(
    decided: Stream, tmp_path: Path
) -> None:
    """Somebody has set the group's offsets back, or they have expired."""
    published = sum(map(len, (await decided.results()).values()))
    settings = decided.settings
    places = [TopicPartition(settings.input_topic, number) for number in range(settings.partitions)]
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, group_id=settings.app_id, enable_auto_commit=False
    ) as consumer:
        consumer.assign(places)
        await consumer.commit(dict.fromkeys(places, 1))
    for name, overrides in (("back", {}), ("unknown", {"app_id": f"{settings.app_id}-other"})):
        code, text = await replay(decided, tmp_path / name, **overrides)
        assert code == 0, text
        assert counts(tmp_path / name)["reproduced"] == published


async def test_what_nobody_has_decided_is_refused(stream: Stream, tmp_path: Path) -> None:
    await stream.publish(events(50, 31, 60))
    code, text = await replay(stream, tmp_path / "out")
    assert code == 2
    assert "no event of the window is decided" in text


async def test_a_changed_result_at_the_end_does_not_end_the_replay_before_it(
    decided: Stream, tmp_path: Path
) -> None:
    """The group has no offsets, so results tell how far was decided: changed ones as well."""
    results = await decided.results()
    for records in results.values():
        last = orjson.loads(records[-1].value or b"")
        records[-1] = with_value(records[-1], orjson.dumps(last | {"revision": last["revision"] + 1}))
    topic = f"{decided.settings.results_topic}.changed"
    await copied(decided, topic, results)
    other = f"{decided.settings.app_id}-other"
    code, text = await replay(decided, tmp_path / "out", results_topic=topic, app_id=other)
    assert code == 1, text
    assert counts(tmp_path / "out")["results_by_cause"] == {"tampered": len(results)}
