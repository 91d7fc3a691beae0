"""Three nodes are one cluster: it outlives the loss of a node, and says when it is whole again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.chaos.cluster import Cluster
from tests.chaos.conftest import NewCluster
from tests.stream.streamkit import until

TOPIC = "written"
GROUP = "readers"
RECORD_BYTES = 50_000
SOME = 200
"""Records; in so many there are far more bytes than a follower fetches at once."""
SLOWED = "follower.replication.throttled.replicas"
"""Those replicas of a topic, as ``partition:node id``, that catch up no faster than their nodes may."""


class Writer:
    """Writes records that say their number, each when all in-sync replicas have acknowledged the last."""

    def __init__(self, cluster: Cluster) -> None:
        self._bootstrap = cluster.proxied
        self._task: asyncio.Task[None] | None = None
        self.written = 0

    async def __aenter__(self) -> Writer:
        self._task = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def has_written(self, count: int) -> None:
        task = self._task
        assert task is not None
        await until(lambda: self.written >= count or task.done(), f"{count} records to be written")
        assert not task.done(), task.exception()

    async def _write(self) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self._bootstrap, enable_idempotence=True) as producer:
            while True:
                await producer.send_and_wait(TOPIC, record(self.written))
                self.written += 1


def record(number: int) -> bytes:
    return f"record {number}".encode().ljust(RECORD_BYTES)


async def create_topic(cluster: Cluster, replicas: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.direct)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=replicas)])
    finally:
        await admin.close()
    await until(lambda: cluster.in_sync([TOPIC]), "the topic to be in sync")


async def read(cluster: Cluster, count: int) -> list[bytes | None]:
    async with AIOKafkaConsumer(bootstrap_servers=cluster.proxied, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(TOPIC, 0)])
        return [(await consumer.getone()).value for _ in range(count)]


async def leader(cluster: Cluster) -> int:
    async with AIOKafkaProducer(bootstrap_servers=cluster.direct) as client:
        await client.partitions_for(TOPIC)
        return int(client.client.cluster.leader_for_partition(TopicPartition(TOPIC, 0))) - 1


async def slow_down(cluster: Cluster, node: int) -> None:
    """Have a node catch up with nothing to speak of, where a topic has its replicas ``SLOWED``."""
    client = AdminClient({"bootstrap.servers": cluster.direct})
    entry = ConfigEntry(
        "follower.replication.throttled.rate", "1", incremental_operation=AlterConfigOpType.SET
    )
    resource = ConfigResource(ResourceType.BROKER, str(node + 1), incremental_configs=[entry])
    (answer,) = client.incremental_alter_configs([resource]).values()
    await asyncio.wrap_future(answer)


def kept(node: Path) -> bytes:
    """What a node has in its log of the topic."""
    return b"".join(log.read_bytes() for log in sorted(node.glob(f"data/{TOPIC}-0/*.log")))


async def test_a_node_killed_under_a_producer_loses_nothing_and_is_in_sync_only_when_it_has_everything(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    async with new_cluster(3) as cluster:
        assert not await cluster.in_sync([TOPIC]), "it does not exist yet"
        await create_topic(cluster, replicas=3)
        async with Writer(cluster) as writer:
            await writer.has_written(SOME)
            killed = await leader(cluster)
            await slow_down(cluster, killed)
            await cluster.kill(killed)
            assert cluster.running == {0, 1, 2} - {killed}
            assert not await cluster.in_sync([TOPIC])
            await writer.has_written(3 * SOME)

        node, missed = tmp_path / "cluster" / f"node-{killed}", record(writer.written - 1)
        await cluster.set_topic_config(TOPIC, SLOWED, f"0:{killed + 1}")
        await cluster.start(killed)
        assert not await cluster.in_sync([TOPIC])
        assert missed not in kept(node)

        await cluster.set_topic_config(TOPIC, SLOWED, "")
        await until(lambda: cluster.in_sync([TOPIC]), "the node to catch up")
        assert missed in kept(node)
        assert await read(cluster, writer.written) == [record(number) for number in range(writer.written)]


@pytest.mark.soak  # the minute of chaos does it too, again and again
async def test_a_stopped_node_hands_its_groups_over_and_a_killed_one_is_let_in_after_its_old_session(
    new_cluster: NewCluster,
) -> None:
    async with new_cluster(3) as cluster:
        coordinator = await cluster.coordinator(GROUP)
        assert await cluster.stop(coordinator)
        assert await cluster.coordinator(GROUP) in cluster.running
        await cluster.start(coordinator)
        assert cluster.running == {0, 1, 2}
        await until(lambda: cluster.in_sync([]), "the stopped node to catch up")

        await cluster.kill(coordinator)
        await cluster.start(coordinator)
        await until(lambda: cluster.in_sync([]), "the killed node to catch up")


async def test_clients_that_come_through_the_proxy_are_sent_to_the_proxy_alone(
    new_cluster: NewCluster,
) -> None:
    async with new_cluster(1) as cluster:
        for bootstrap in (cluster.direct, cluster.proxied):
            async with AIOKafkaProducer(bootstrap_servers=bootstrap) as client:
                brokers = client.client.cluster.brokers()
            assert [f"{broker.host}:{broker.port}" for broker in brokers] == [bootstrap]


@pytest.mark.soak  # the minute of chaos does it too, again and again
async def test_one_setting_of_a_topic_is_changed_and_the_others_stay(new_cluster: NewCluster) -> None:
    async with new_cluster(1) as cluster:
        await create_topic(cluster, replicas=1)
        await cluster.set_topic_config(TOPIC, "segment.ms", "10000")
        await cluster.set_topic_config(TOPIC, "max.message.bytes", "1000")

        assert await cluster.topic_config(TOPIC, "max.message.bytes") == "1000"
        assert await cluster.topic_config(TOPIC, "segment.ms") == "10000"
