"""Real Kafka nodes on this machine that are one cluster, each with a proxy before it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Self

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.metadata import MetadataRequest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.chaos.proxy import Proxy
from worker.devkit.jars import BrokerError
from worker.devkit.kafka import START_SECONDS, KafkaBroker, Listener, Place, new_cluster_id
from worker.devkit.ports import LOOPBACK, free_ports

OFFSETS = "__consumer_offsets"
OFFSETS_PARTITIONS = 4
"""The devkit's brokers make so many of them too."""
INTERNAL = (OFFSETS, "__transaction_state")

_ANSWER_MS = 5000
_POLL_SECONDS = 0.1

# Beside the devkit's own settings of a broker.
_SETTINGS: dict[str, str | int] = {
    "offsets.topic.num.partitions": OFFSETS_PARTITIONS,
    # The shortest session that a worker may ask for: its partitions wait for the end of it when it is killed.
    "group.min.session.timeout.ms": 1000,
    # A killed node leads, and is kept from coming back, until its session is over.
    "broker.session.timeout.ms": 6000,
    "broker.heartbeat.interval.ms": 500,
    "unclean.leader.election.enable": "false",
    # Compaction is always at work where a topic asks for it.
    "log.cleaner.backoff.ms": 1000,
    # Three nodes share a machine with the workers that they serve.
    "num.network.threads": 2,
    "num.io.threads": 4,
}


class Cluster:
    """Nodes 0, 1 and so on of one KRaft cluster, each a broker and a controller, on free loopback ports.

    As an asynchronous context manager it is ready on entry: every node has joined, and a transaction has been
    committed whose internal topics are in sync on all of them. On exit it kills them.
    """

    direct: str
    """Bootstrap servers as the nodes know each other."""
    proxied: str
    """Bootstrap servers behind the proxies: who begins here never sees another address."""
    proxies: list[Proxy]
    """That of every node."""
    running: set[int]
    """Nodes that have not been killed or stopped."""

    def __init__(self, directory: Path, *, nodes: int = 3) -> None:
        """Keep data and logs under ``directory``. Raises BrokerError if this machine cannot run Kafka."""
        ports = free_ports(4 * nodes)
        direct, hidden, seen, controllers = (ports[kind * nodes : (kind + 1) * nodes] for kind in range(4))
        cluster_id = new_cluster_id()
        self.direct, self.proxied = _addresses(direct), _addresses(seen)
        self.proxies = [Proxy(port, upstream) for port, upstream in zip(seen, hidden, strict=True)]
        self.running = set()
        self._direct = direct
        self._brokers = [
            KafkaBroker(
                directory / f"node-{node}",
                port=direct[node],
                settings=_SETTINGS | _replication(nodes),
                place=Place(node + 1, cluster_id, controllers),
                listeners=[Listener("PROXIED", hidden[node], seen[node])],
            )
            for node in range(nodes)
        ]

    async def __aenter__(self) -> Self:
        try:
            for proxy in self.proxies:
                await proxy.start()
            await self._launch()
            await asyncio.to_thread(self._brokers[0].await_ready)
            await self._until(lambda: self.in_sync([]), "all nodes to be in sync")
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def kill(self, node: int) -> None:
        """Kill a node as a crash would (SIGKILL)."""
        self.running.discard(node)
        await asyncio.to_thread(self._brokers[node].kill)

    async def stop(self, node: int) -> bool:
        """Shut a node down cleanly: it hands over what it leads.

        Returns whether it did; one that takes too long is killed.
        """
        self.running.discard(node)
        return await asyncio.to_thread(self._brokers[node].stop)

    async def start(self, node: int) -> None:
        """Start a node with its data; return when it serves again in the cluster.

        It may still have to catch up, see ``in_sync``. After a kill the cluster lets it in only when its old
        session is over. Raises BrokerError with the end of its log if it dies or takes too long.
        """
        await asyncio.to_thread(self._brokers[node].launch)
        self.running.add(node)
        await self._until(lambda: self._serves(node), f"node {node} to serve")

    async def coordinator(self, group: str) -> int:
        """The node that coordinates a group."""
        return int(await self._until(lambda: self._coordinator(group), f"a coordinator of {group}")) - 1

    async def in_sync(self, topics: Iterable[str]) -> bool:
        """Whether each replica of these topics and of the internal ones is in sync on running nodes.

        Every node must say so: one alone may not know yet what was lost. A topic that does not exist is not
        in sync.
        """
        if len(self.running) < len(self._brokers):
            return False
        wanted = [*topics, *INTERNAL]
        views = await asyncio.gather(*(self._view(node, wanted) for node in self.running))
        return all(view is not None and _is_full(view, len(self._brokers)) for view in views)

    async def topic_config(self, topic: str, name: str) -> str:
        """A topic's setting, by Kafka's name for it."""
        client = self._administration()
        (answer,) = client.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
        return str((await asyncio.wrap_future(answer))[name].value)

    async def set_topic_config(self, topic: str, name: str, value: str) -> None:
        """Change one setting of a topic and leave the others as they are."""
        client = self._administration()
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        (answer,) = client.incremental_alter_configs([resource]).values()
        await asyncio.wrap_future(answer)

    async def _launch(self) -> None:
        # Each to its end, also when one fails: a thread left alone would start its node after all is killed.
        launching = (asyncio.to_thread(broker.launch) for broker in self._brokers)
        for failure in await asyncio.gather(*launching, return_exceptions=True):
            if failure is not None:
                raise failure
        self.running = set(range(len(self._brokers)))

    def _administration(self) -> AdminClient:
        # Silent: what its library says of nodes that are down would come between the lines of a report.
        return AdminClient({"bootstrap.servers": self.direct, "log_level": 0})

    async def _end(self) -> None:
        for proxy in self.proxies:
            await proxy.close()
        await asyncio.gather(*(self.kill(node) for node in range(len(self._brokers))))

    async def _until(self, asked: Callable[[], Coroutine[Any, Any, Any]], what: str) -> Any:
        """What is answered, as soon as it is true. Raises BrokerError if a node dies or it takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while not (answer := await asked()):
            for node in self.running:
                self._brokers[node].check()
            if time.monotonic() > deadline:
                raise BrokerError(f"waited {START_SECONDS:.0f} s in vain for {what}")
            await asyncio.sleep(_POLL_SECONDS)
        return answer

    async def _serves(self, node: int) -> bool:
        # By its own word: the others may still speak of its life before.
        view = await self._view(node, [])
        return view is not None and node + 1 in {broker["node_id"] for broker in view["brokers"]}

    async def _view(self, node: int, topics: list[str]) -> dict[str, Any] | None:
        """What a node knows of the cluster and of these topics; None if it does not answer."""
        answer = await self._ask(node, MetadataRequest(topics, allow_auto_topic_creation=False))
        return None if answer is None else dict(answer.to_object())

    async def _coordinator(self, group: str) -> int | None:
        """The id of a group's coordinator; None while there is none."""
        answer = await self._ask(min(self.running), FindCoordinatorRequest(group, coordinator_type=0))
        found = answer is not None and not answer.error_code and answer.coordinator_id - 1 in self.running
        return answer.coordinator_id if found else None

    async def _ask(self, node: int, request: Request[Any]) -> Any:
        """A node's own answer, which a client of the cluster could get from any; None if there is none."""
        try:
            connection = await create_conn(LOOPBACK, self._direct[node], request_timeout_ms=_ANSWER_MS)
        except (KafkaError, OSError, TimeoutError):
            return None
        try:
            return await connection.send(request)
        except (KafkaError, OSError, TimeoutError):
            return None
        finally:
            connection.close()


def _addresses(ports: Iterable[int]) -> str:
    return ",".join(f"{LOOPBACK}:{port}" for port in ports)


def _replication(nodes: int) -> dict[str, str | int]:
    """As many replicas as nodes, and all but one of them needed for a write."""
    least = max(1, nodes - 1)
    return {
        "default.replication.factor": nodes,
        "min.insync.replicas": least,
        "offsets.topic.replication.factor": nodes,
        "transaction.state.log.replication.factor": nodes,
        "transaction.state.log.min.isr": least,
    }


def _is_full(view: dict[str, Any], nodes: int) -> bool:
    partitions = [partition for topic in view["topics"] for partition in topic["partitions"]]
    return (
        len(view["brokers"]) == nodes
        and not any(topic["error_code"] for topic in view["topics"])
        and all(
            partition["leader"] >= 0 and set(partition["isr"]) == set(partition["replicas"])
            for partition in partitions
        )
    )
