"""The devkit's broker is a real one: transactions, data that survive a kill, and an error that says why."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from worker.devkit.jars import BrokerError, PrerequisiteError, java
from worker.devkit.kafka import START_SECONDS, KafkaBroker, Listener
from worker.devkit.ports import LOOPBACK, free_ports
from worker.devkit.ready import broker_is_ready

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import NewBroker


async def create_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def publish(bootstrap: str, topic: str, value: bytes, *, commit: bool = True) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, value)
        await (producer.commit_transaction() if commit else producer.abort_transaction())


async def committed_values(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    reader = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    async with reader:
        return [(await reader.getone()).value for _ in range(count)]


async def test_a_committed_transaction_is_read_and_an_aborted_one_is_not(
    kafka: KafkaBroker, prefix: str
) -> None:
    await create_topic(kafka.bootstrap, prefix)
    await publish(kafka.bootstrap, prefix, b"aborted", commit=False)
    await publish(kafka.bootstrap, prefix, b"committed")

    assert await committed_values(kafka.bootstrap, prefix, 1) == [b"committed"]


async def test_a_topic_that_nobody_made_is_missing(kafka: KafkaBroker, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        (topic,) = await admin.describe_topics([prefix])
    finally:
        await admin.close()

    assert topic["error_code"] == 3  # UNKNOWN_TOPIC_OR_PARTITION


async def test_a_killed_broker_comes_back_at_its_address_with_what_was_committed(
    new_broker: NewBroker, prefix: str
) -> None:
    broker = await asyncio.to_thread(new_broker().start)
    await create_topic(broker.bootstrap, prefix)
    await publish(broker.bootstrap, prefix, b"before")

    broker.kill()
    assert broker.pid is None
    await asyncio.to_thread(broker.start)
    await publish(broker.bootstrap, prefix, b"after")

    assert await committed_values(broker.bootstrap, prefix, 2) == [b"before", b"after"]


def test_a_broker_that_cannot_start_says_why_with_the_end_of_its_log(new_broker: NewBroker) -> None:
    broker = new_broker()
    anothers = broker.log.parent / "data" / "meta.properties"
    anothers.parent.mkdir(parents=True)
    anothers.write_text("version=1\ncluster.id=elsewhere\nnode.id=2\n")

    with pytest.raises(BrokerError, match=r"(?s)Kafka exited with 1:.*node id.*broker\.log"):
        broker.start()
    assert broker.pid is None


def test_a_second_broker_on_the_same_directory_is_refused_and_the_first_goes_on(kafka: KafkaBroker) -> None:
    with pytest.raises(BrokerError, match="a broker is running on"):
        KafkaBroker(kafka.log.parent).start()

    assert broker_is_ready(kafka.bootstrap, time.monotonic() + START_SECONDS)


def test_a_broker_that_died_by_itself_is_noticed(new_broker: NewBroker) -> None:
    broker = new_broker().start()
    broker.check()
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    os.waitid(os.P_PID, broker.pid, os.WEXITED | os.WNOWAIT)

    with pytest.raises(BrokerError, match="Kafka exited with -9"):
        broker.check()


def test_a_started_broker_is_not_started_again_by_a_with_statement(new_broker: NewBroker) -> None:
    broker = new_broker().start()
    pid = broker.pid

    with broker:
        assert broker.pid == pid
    assert broker.pid is None


def test_settings_that_no_broker_accepts_are_refused_in_kafkas_words(new_broker: NewBroker) -> None:
    with pytest.raises(BrokerError, match=r"(?s)could not format.*num\.network\.threads"):
        new_broker(**{"num.network.threads": "many"}).start()


def test_a_taken_port_is_named(tmp_path: Path, kafka: KafkaBroker) -> None:
    port = int(kafka.bootstrap.rpartition(":")[2])

    with pytest.raises(BrokerError, match=f"port {port} of 127.0.0.1 is taken"):
        KafkaBroker(tmp_path, port=port).start()
    with pytest.raises(BrokerError, match=f"port {port} of 127.0.0.1 is taken"):
        KafkaBroker(tmp_path, listeners=[Listener("OTHER", port, advertised=port)]).start()


@pytest.mark.parametrize(
    ("how", "exit_code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0), (signal.SIGINT, 0)]
)
def test_a_broker_does_not_outlive_the_command_that_runs_it(
    kafka: KafkaBroker, tmp_path: Path, how: signal.Signals, exit_code: int
) -> None:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "worker", "devkit", "kafka", "--port", str(port), "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert f"is ready at {LOOPBACK}:{port}" in running.stdout.readline()
        with socket.create_connection((LOOPBACK, port)) as connected:
            connected.settimeout(30)
            os.kill(running.pid, how)

            # Closed by the broker's end; reset where the broker had not accepted it yet.
            with suppress(ConnectionResetError):
                assert connected.recv(1) == b""
        assert running.wait() == exit_code


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"PATH": "/nowhere"}, "no java on the PATH: install a Java 17"),
        ({"JAVA_HOME": "/nowhere"}, r"no java in JAVA_HOME \(/nowhere\): install a Java 17"),
    ],
)
def test_a_machine_without_java_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], told: str
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(PrerequisiteError, match=told):
        java()


@pytest.mark.parametrize(
    ("version", "fits"), [("1.8.0_392", False), ("16.0.2", False), ("17", True), ("25", True)]
)
def test_java_must_be_17_or_newer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, fits: bool
) -> None:
    path = tmp_path / "bin" / "java"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-01-01' >&2\n")
    path.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    if fits:
        assert java() == str(path)
    else:
        with pytest.raises(PrerequisiteError, match="is not Java 17 or newer"):
            java()
