"""The embedded fallback carries what the demo needs of a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from worker.devkit.broker import start_broker
from worker.devkit.embedded import PARTITIONS, EmbeddedBroker
from worker.devkit.jars import BrokerError
from worker.settings import Settings
from worker.stream.outgoing import Outgoing
from worker.stream.transactions.producer import TransactionalProducer

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_transactions_records_reach_a_group_of_readers() -> None:
    with EmbeddedBroker(because="this is its test") as broker:
        broker.create_topics(["claims"])
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id="lane") as producer:
            assert await producer.partitions_for("claims") == set(range(PARTITIONS))
            await producer.begin_transaction()
            await producer.send_and_wait("claims", b"one")
            await producer.commit_transaction()

        async with AIOKafkaConsumer(
            "claims",
            bootstrap_servers=broker.bootstrap,
            group_id="workers",
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        ) as reader:
            assert (await reader.getone()).value == b"one"


async def test_the_worker_speaks_the_first_transaction_protocol_to_it() -> None:
    settings = Settings(partitions=PARTITIONS)
    with EmbeddedBroker(because="this is its test") as broker:
        broker.create_topics([settings.input_topic, settings.results_topic])
        given = settings.model_copy(update={"bootstrap_servers": broker.bootstrap})
        lane = TransactionalProducer(TopicPartition(settings.input_topic, 0), given)
        try:
            await lane.start()
            assert lane.protocol == 1
            record = Outgoing(b"key", b"value", 1_700_000_000_000, ())
            await lane.commit({settings.results_topic: [record]}, 1)
        finally:
            await lane.close()


def test_a_stopped_one_makes_no_topics() -> None:
    broker = EmbeddedBroker(because="this is its test")
    broker.stop()

    with pytest.raises(BrokerError, match="has stopped"):
        broker.create_topics(["claims"])


def test_a_machine_without_java_gets_it_and_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")

    with start_broker(tmp_path) as broker:
        assert isinstance(broker, EmbeddedBroker)
        assert "install a Java 17" in broker.because
