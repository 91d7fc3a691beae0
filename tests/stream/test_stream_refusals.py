"""When a worker does not start, or does not go on: its exit code, and the line that says what to do."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.conftest import NewBroker
from tests.stream.oracle import decided
from tests.stream.streamkit import Stream, Worker, claims, partition, until
from worker.devkit.kafka import KafkaBroker
from worker.devkit.process import run
from worker.manifest import MANIFEST, manifest_of
from worker.stream.topics import ABSENT, HOW_MANY, specs

UNREACHABLE = "kafka cannot be reached or does not let this worker in"


@pytest.fixture
async def bare(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> AsyncIterator[Stream]:
    """A stream whose topics do not exist."""
    with ExitStack() as ending:
        yield Stream(kafka.bootstrap, prefix, tmp_path, ending)


def reasons(worker: Worker) -> str:
    return "\n".join(line["reason"] for line in worker.said("worker stops"))


async def test_an_absent_broker_is_waited_for(new_broker: NewBroker, prefix: str, tmp_path: Path) -> None:
    broker = new_broker()
    await asyncio.to_thread(broker.start)
    with ExitStack() as ending:
        stream = Stream(broker.bootstrap, prefix, tmp_path, ending)
        await stream.create_topics()
        await asyncio.to_thread(broker.stop)

        worker = stream.worker()
        await until(lambda: len(worker.said(UNREACHABLE)) > 1, "two tries")
        assert worker.said(UNREACHABLE)[0]["brokers"] == broker.bootstrap
        assert (await worker.get("/livez"))[0] == 200
        status, body = await worker.get("/readyz")
        assert status == 503
        assert "assignment" in body

        await asyncio.to_thread(broker.start)
        await worker.ready()


async def test_missing_topics_are_refused_with_the_command_that_makes_them(bare: Stream) -> None:
    worker = bare.worker()
    assert await worker.ended() == 2
    for topic in (bare.settings.input_topic, bare.settings.changelog_topic):
        assert f"topic {topic} {ABSENT}; repair: mms-worker topics create" in reasons(worker)


@pytest.mark.parametrize(
    ("wanted", "repair"),
    [
        (6, "set MMS_PARTITIONS=4, as all the topics have"),
        (2, f"set MMS_PARTITIONS=4, as all the topics have, unless partitions were added .* {HOW_MANY}"),
    ],
)
async def test_another_number_of_partitions_than_the_topics_have_is_refused_as_a_fault_of_the_setting(
    stream: Stream, wanted: int, repair: str
) -> None:
    worker = stream.worker(partitions=wanted)
    assert await worker.ended() == 2
    lines = reasons(worker).splitlines()
    for line, topic in zip(lines, topics(stream), strict=True):
        told = f"topic {topic} has 4 partitions, not the {wanted} of MMS_PARTITIONS; repair: {repair}"
        assert re.fullmatch(told, line)


def topics(stream: Stream) -> list[str]:
    return [spec.name for spec in specs(stream.settings)]


async def test_partitions_that_grow_under_a_worker_are_refused(stream: Stream) -> None:
    worker = stream.worker(metadata_max_age_s=0.3)
    await worker.ready()
    grown = {
        topic: NewPartitions(total_count=6)
        for topic in (
            stream.settings.input_topic,
            stream.settings.results_topic,
            stream.settings.dead_letter_topic,
            stream.settings.changelog_topic,
        )
    }
    async with stream.administration() as client:
        await client.create_partitions(grown)
    assert await worker.ended() == 2
    assert "has 6 partitions, not the 4 of MMS_PARTITIONS" in reasons(worker)
    assert f"unless partitions were added since they were made: then see {HOW_MANY}" in reasons(worker)


async def test_a_compacted_results_topic_is_refused(stream: Stream) -> None:
    async with stream.administration() as client:
        await alter(client, stream.settings.results_topic, {"cleanup.policy": "compact"})
    worker = stream.worker()
    assert await worker.ended() == 2
    assert "has cleanup.policy=compact, not delete; repair: kafka-configs.sh" in reasons(worker)


async def alter(client: AIOKafkaAdminClient, topic: str, config: dict[str, str]) -> None:
    await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])


async def delete_input(stream: Stream) -> None:
    """Let the log begin behind the first records of each partition, as retention does."""
    async with stream.administration() as client:
        await client.delete_records(
            {
                TopicPartition(stream.settings.input_topic, number): RecordsToDelete(-1)
                for number in range(stream.settings.partitions)
            }
        )


async def test_records_that_retention_took_first_are_refused_unless_the_gap_is_accepted(
    stream: Stream,
) -> None:
    early, lost, late = claims(20, seed=21), claims(20, seed=22), claims(20, seed=23)
    worker = stream.worker()
    await stream.publish(early)
    await stream.drained(20)
    worker.stop(20)
    await stream.publish(lost)
    await delete_input(stream)

    refusing = stream.worker()
    assert await refusing.ended() == 2
    assert "are gone" in reasons(refusing)
    assert "start with --accept-gap to go on" in reasons(refusing)

    accepting = stream.worker("--accept-gap")
    await stream.publish(late)
    await stream.drained(60)
    assert accepting.said("gap accepted")
    found = [record.value for arrived in (await stream.results()).values() for record in arrived]
    assert sorted(found) == sorted(decided(*early, *late))


async def test_a_lost_offset_is_refused_unless_the_gap_is_accepted(stream: Stream) -> None:
    records = claims(20, seed=24)
    worker = stream.worker()
    await stream.publish(records)
    await stream.drained(20)
    worker.stop(20)

    refusing = stream.worker(app_id=f"{stream.settings.app_id}-2")
    assert await refusing.ended() == 2
    assert "has no committed offset" in reasons(refusing)
    assert "start with --accept-gap to go on" in reasons(refusing)

    stream.worker("--accept-gap", app_id=f"{stream.settings.app_id}-2")
    late = claims(20, seed=29)
    await stream.publish(late)
    # What was decided before is not published again, unless the look-back has dropped it since.
    expected = decided(*records, *records, *late)

    async def have_come() -> bool:
        return sum(map(len, (await stream.results()).values())) >= len(expected)

    await until(have_come, "the results of what came later")
    found = [record.value for arrived in (await stream.results()).values() for record in arrived]
    assert sorted(found) == sorted(expected)


async def test_a_log_that_lost_its_end_is_gone_on_with_at_its_end(stream: Stream) -> None:
    early, late = claims(40, seed=61), claims(20, seed=62)
    await stream.publish(early)
    await delete_input(stream)
    kept = claims(30, seed=63)
    await stream.publish(kept)
    await commit_behind_the_end(stream)

    refusing = stream.worker()
    assert await refusing.ended() == 2
    assert "it was cut or made anew, and going on is from its end" in reasons(refusing)

    accepting = stream.worker("--accept-gap")
    await accepting.ready()
    await stream.publish(late)

    async def have_results() -> bool:
        return sum(map(len, (await stream.results()).values())) >= 20

    await until(have_results, "the results")
    found = [record.value for arrived in (await stream.results()).values() for record in arrived]
    assert sorted(found) == sorted(decided(*late))


async def test_a_log_made_anew_is_refused_with_what_going_on_would_publish_again(stream: Stream) -> None:
    records = claims(40, seed=64)
    worker = stream.worker()
    await stream.publish(records)
    await stream.drained(40)
    worker.stop(20)
    await commit_behind_the_end(stream)

    refusing = stream.worker()
    assert await refusing.ended() == 2
    assert "going on from 0 would publish again what it still has" in reasons(refusing)


async def commit_behind_the_end(stream: Stream) -> None:
    """Leave committed offsets as a log that was cut afterwards has them."""
    partitions = [TopicPartition(stream.settings.input_topic, number) for number in range(4)]
    async with AIOKafkaConsumer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        group_id=stream.settings.app_id,
        enable_auto_commit=False,
    ) as consumer:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.commit({place: end + 100 for place, end in ends.items()})


async def test_records_that_are_lost_under_a_worker_are_refused(stream: Stream) -> None:
    """A worker that was held up reads on where retention has been meanwhile."""
    worker = stream.worker()
    await worker.ready()
    os.kill(worker.pid, signal.SIGSTOP)
    # A fetch that was on its way may still bring the first records, but none that came after them.
    await stream.publish(claims(40, seed=25))
    await stream.publish(claims(40, seed=28))
    await delete_input(stream)
    os.kill(worker.pid, signal.SIGCONT)
    assert await worker.ended() == 2
    assert "are gone" in reasons(worker)


async def test_a_bug_on_one_claim_is_one_dead_letter_and_a_second_stops_the_worker(stream: Stream) -> None:
    records = claims(30, seed=26)
    broken = [records[5], records[20]]
    names = [f"CLM-26-{number:07d}" for number in (6, 21)]
    assert all(name.encode() in (record.value or b"") for name, record in zip(names, broken, strict=True))
    launcher = str(Path(__file__).with_name("launch_with_bug.py"))
    command = [part for part in stream.command("run") if part not in {"-m", "worker", "run"}]
    worker = stream.process([*command, launcher, *names])

    await stream.publish(records[:10])
    await stream.drained(10)
    ((letter,),) = (await stream.dead_letters()).values()
    headers = {name: value.decode() for name, value in letter.headers}
    assert letter.value == broken[0].value
    assert headers["mms.dlq.reason"] == "internal_error"
    assert headers["__streams.errors.exception"] == "ZeroDivisionError"
    assert headers["__streams.errors.message"].startswith("ZeroDivisionError at worker/stream/deciding.py:")
    assert "CLM" not in headers["__streams.errors.message"]
    results = await stream.results()
    for number in range(stream.settings.partitions):
        good = [record for record in records[:10] if record is not broken[0] and partition(record) == number]
        assert [record.value for record in results[number]] == decided(*good)

    await stream.publish(records[20:21])
    assert await worker.ended() == 3
    assert "2 claims within a minute made the adjudication raise" in reasons(worker)
    assert await stream.committed() == 10
    assert "CLM-26" not in worker.text
    assert "MBR-26" not in worker.text


async def test_too_large_a_share_of_dead_letters_stops_the_worker_before_it_commits_them(
    stream: Stream,
) -> None:
    spoiled = [record._replace(value=b"{") for record in claims(300, seed=27)]
    worker = stream.worker(dead_letter_limit=0.5, dead_letter_least_records=10, batch_max_records=20)
    await worker.ready()
    await stream.publish(spoiled)
    assert await worker.ended() == 3
    assert "MMS_DEAD_LETTER_LIMIT" in reasons(worker)
    assert sum(map(len, (await stream.dead_letters()).values())) == await stream.committed() < 300


def broken_document(directory: Path) -> None:
    content = b"id = "
    (directory / "mms-medical-policy.toml").write_bytes(content)
    (directory / MANIFEST).write_bytes(manifest_of({"mms-medical-policy.toml": content}))


def nothing(_: Path) -> None:
    """Leaves the directory empty."""


@pytest.mark.parametrize(
    ("setting", "spoil", "told"),
    [
        ("policies_dir", broken_document, "mms-medical-policy.toml"),
        ("codes_dir", nothing, "icd10cm"),
    ],
)
async def test_reference_data_that_does_not_check_is_refused(
    stream: Stream, tmp_path: Path, setting: str, spoil: Callable[[Path], None], told: str
) -> None:
    directory = tmp_path / "reference"
    directory.mkdir()
    spoil(directory)
    worker = stream.worker(**{setting: directory})
    assert await worker.ended() == 2
    assert told in reasons(worker)


async def test_an_address_that_is_taken_is_refused(stream: Stream) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        worker = stream.worker(web_port=port)
        assert await worker.ended() == 2
        assert "MMS_WEB_PORT" in reasons(worker)


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("partitions", "many", "MMS_PARTITIONS: "),
        ("bootstrap_servers", "nowhere", "MMS_BOOTSTRAP_SERVERS: "),
        ("batch_deadline_s", 20, "MMS_BATCH_DEADLINE_S must be below"),
        ("security_protocol", "SASL_SSL", "MMS_SASL_USERNAME is required"),
        ("tls_ca_file", "/nowhere/ca.pem", "MMS_TLS_CA_FILE: "),
    ],
)
@pytest.mark.parametrize("arguments", [("run",), ("topics", "check")])
def test_an_invalid_setting_is_one_line_that_names_its_variable(
    tmp_path: Path, arguments: tuple[str, ...], setting: str, value: Any, told: str
) -> None:
    with ExitStack() as ending:
        stream = Stream("127.0.0.1:1", "invalid", tmp_path, ending)
        done = run(stream.command(*arguments, **{setting: value}), within=60)
    assert done.returncode == 2
    (line,) = done.stdout.splitlines()
    assert line.startswith("mms-worker: ")
    assert told in line


async def test_topics_are_created_once_and_checked(bare: Stream) -> None:
    async def topics(*arguments: str) -> tuple[int, str]:
        done = await asyncio.to_thread(run, bare.command("topics", *arguments), 60)
        return done.returncode, done.stdout

    code, said = await topics("check")
    assert code == 1
    assert said.count(f"{ABSENT}; repair: mms-worker topics create") == 4
    code, said = await topics("create")
    assert (code, said.count("created ")) == (0, 4)
    code, said = await topics("create")
    assert (code, said.count("ok ")) == (0, 4)

    async with bare.administration() as client:
        await alter(
            client, bare.settings.input_topic, {"max.message.bytes": "1000", "retention.ms": "1209600000"}
        )
    code, said = await topics("create")
    assert code == 1
    assert "has max.message.bytes=1000, not 1114112; repair: kafka-configs.sh" in said
    assert f"--entity-name {bare.settings.input_topic} --add-config max.message.bytes=1114112" in said


async def test_more_replicas_than_brokers_are_told_with_the_setting(bare: Stream, tmp_path: Path) -> None:
    done = await asyncio.to_thread(run, bare.command("topics", "create", replication=3), 60)
    assert done.returncode == 2
    assert "MMS_REPLICATION" in done.stdout
