"""A real Apache Kafka broker on loopback ports: a KRaft node in a directory of its own, no containers.

By itself it is a cluster of one. Several make a cluster if each is told its place in it.

A cluster of one that is killed and started again finds the metadata of before: until its own controller has
fenced it, it leads its partitions as if it had never been away. What it finds half committed then may lose
its markers (KAFKA-20734; deploy/README.md, "Known of Kafka"). Who kills a broker amid transactions gives it a
controller of its own (``Role``), and starts it once that has fenced it (``fencings``).
"""

from __future__ import annotations

import fcntl
import time
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import IO, TYPE_CHECKING, NamedTuple, Self
from uuid import uuid4

from worker.devkit.jars import PROJECT, BrokerError, java, kafka_jars, kafka_version
from worker.devkit.ports import LOOPBACK, free_ports, is_free
from worker.devkit.process import Child, run
from worker.devkit.ready import broker_is_ready

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LOGGING = PROJECT / "deploy" / "kafka" / "log4j2.properties"

START_SECONDS = 60.0
"""Longest wait until it is ready; 3 s are usual, a loaded machine may take much longer."""
STOP_SECONDS = 15.0
"""Longest wait for a clean shutdown before SIGKILL; half a second is usual."""

# For a broker that lives minutes: a heap that fits beside a test run, code compiled once and cheaply.
_JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

_SETTINGS: Mapping[str, str | int] = {
    # Topics are made on purpose: a broker that makes them up would hide that one is missing.
    "auto.create.topics.enable": "false",
    # One node: with the default of three replicas transactions never start.
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    # Quick to start: few internal partitions, no wait for a group's other members, prompt heartbeats.
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "group.initial.rebalance.delay.ms": 0,
    "broker.heartbeat.interval.ms": 200,
    # A killed node is let in again only when its old session is over: 3 s instead of 9.
    "broker.session.timeout.ms": 3000,
    # A dead producer's open transaction is looked for every second instead of every ten.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
    # The default of the log cleaner's buffer alone is a quarter of the heap.
    "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
}


class Role(StrEnum):
    """What a node is in its cluster, as Kafka writes it."""

    BOTH = "broker,controller"
    BROKER = "broker"
    CONTROLLER = "controller"


class Place(NamedTuple):
    """The place of a node in a cluster; all its nodes have the same ``cluster_id`` and ``controllers``."""

    node: int
    """Its id, from 1."""
    cluster_id: str
    """At most 22 letters and digits, as ``new_cluster_id`` makes them."""
    controllers: Sequence[int]
    """The port of every controller: those of the nodes 1, 2 and so on."""
    role: Role = Role.BOTH
    features: Sequence[str] = ()
    """Levels that its cluster begins with, as ``transaction.version=1``, where not with the newest."""


class Listener(NamedTuple):
    """A further listener of a broker on loopback, which clients are told to be at another port."""

    name: str
    port: int
    advertised: int
    protocol: str = "PLAINTEXT"
    """What it asks of clients, as ``SASL_SSL``; the broker's ``listener.name.`` settings say with what."""


def new_cluster_id() -> str:
    """An id that no other cluster has."""
    return uuid4().hex[:22]


class KafkaBroker:
    """One Kafka node that can be started, stopped, killed and started again with the same address and data.

    As a context manager it is ready on entry and stopped on exit. It never outlives the process that
    started it. Attributes: ``bootstrap``, its address; ``kind``, what it is in words; ``log``, its log file.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str | int] | None = None,
        place: Place | None = None,
        listeners: Sequence[Listener] = (),
        jvm: Sequence[str] = (),
    ) -> None:
        """Keep data, settings and log under ``directory``; listen on ``port`` or else on a free one.

        ``settings`` are broker settings (those of ``server.properties``) that override the devkit's;
        ``place`` is for a node of a cluster of several; ``listeners`` are others than that of ``port``, which
        is the brokers' own; ``jvm`` are further options of its JVM, as ``-Dname=value``.
        Raises BrokerError if the machine cannot run it.
        """
        self._java, self._jars = java(), kafka_jars()
        self._jvm = (*_JVM, *jvm)
        own_port, controller_port = free_ports(2)
        self._port = port or own_port
        self._place = place or Place(1, new_cluster_id(), [controller_port])
        self.kind = f"Apache Kafka {kafka_version(self._jars)}"
        self.bootstrap = f"{LOOPBACK}:{self._port}"
        self.log = directory / "broker.log"
        self._data = directory / "data"
        self._properties = directory / "server.properties"
        self._lock = directory / "lock"
        self._held: IO[str] | None = None
        self._child: Child | None = None
        self._listeners = (Listener("PLAINTEXT", self._port, self._port), *listeners)
        node = _node(self._place, self._listeners) | {"log.dirs": str(self._data)}
        given = {**node, **_SETTINGS, **(settings or {})}
        self._settings = "".join(f"{name}={value}\n" for name, value in given.items())

    def start(self, within: float = START_SECONDS) -> Self:
        """Start it, with the data that it has, and return when it is ready.

        Ready means that it has answered ApiVersions and committed a transaction, not that its port is open.
        Blocks: from a coroutine call it through ``asyncio.to_thread``.
        Raises BrokerError with the end of the broker's log if it is not ready ``within`` seconds.
        """
        deadline = time.monotonic() + within
        self.launch(within)
        try:
            self.await_ready(deadline - time.monotonic())
        except BaseException:
            self.kill()
            raise
        return self

    def launch(self, within: float = START_SECONDS) -> None:
        """Start its process without waiting until it is ready, as for a cluster that starts all its nodes.

        Blocks while it formats new storage, at most ``within`` seconds.
        Raises BrokerError if a port or the directory is taken or the settings are none.
        """
        for listener in self._listeners:
            if not is_free(listener.port):
                raise BrokerError(f"port {listener.port} of {LOOPBACK} is taken: choose another or free it")
        self._claim_directory()
        try:
            self._properties.write_text(self._settings)
            if not (self._data / "meta.properties").is_file():
                self._format(within)
            self._child = Child(self._command("kafka.Kafka", str(self._properties)), self.log)
        except BaseException:
            self.kill()
            raise

    def await_ready(self, within: float = START_SECONDS) -> None:
        """Return when it, and its cluster, has committed a transaction; if it is a controller alone, at once.

        Raises BrokerError with the end of the broker's log if that is not ``within`` seconds.
        """
        if self._place.role is Role.CONTROLLER:
            return  # it has no client but its brokers, which wait for it
        deadline = time.monotonic() + within
        # In a thread of its own: the caller's may have a running event loop.
        with ThreadPoolExecutor(max_workers=1) as apart:
            while not apart.submit(broker_is_ready, self.bootstrap, deadline).result():
                self.check()
                if time.monotonic() >= deadline:
                    raise BrokerError(f"Kafka at {self.bootstrap} did not get ready:\n{self._log_tail()}")

    def stop(self, within: float = STOP_SECONDS) -> bool:
        """Shut it down cleanly, or kill it after ``within`` seconds. Its data stays for the next start.

        Returns whether it is down without having been killed.
        """
        is_clean = self._child is None or self._child.stop(within)
        self._release()
        return is_clean

    def kill(self) -> None:
        """Kill it as a crash would (SIGKILL). Its data stays for the next start."""
        if self._child is not None:
            self._child.kill()
        self._release()

    def check(self) -> None:
        """Raise BrokerError with the end of its log if it has died by itself."""
        if self._child is not None and self._child.exit_code is not None:
            raise BrokerError(f"Kafka exited with {self._child.exit_code}:\n{self._log_tail()}")

    def fencings(self, node: int) -> int:
        """How often this controller has found that the broker of that id is gone."""
        return self.log.read_text(errors="replace").count(f"Fencing broker {node} ")

    @property
    def pid(self) -> int | None:
        """Its process id, None while it is down."""
        return None if self._child is None else self._child.pid

    def __enter__(self) -> Self:
        return self if self._child is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self, main: str, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={LOGGING}"
        return [self._java, *self._jvm, logging, "-cp", f"{self._jars}/*", main, *arguments]

    def _claim_directory(self) -> None:
        # Kafka looks for another broker on its data only after it has written to them: both would break.
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        lock = self._lock.open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise BrokerError(
                f"a broker is running on {self._lock.parent}: choose another directory"
            ) from None
        self._held = lock

    def _release(self) -> None:
        self._child = None
        if self._held is not None:
            self._held.close()
            self._held = None

    def _format(self, within: float) -> None:
        arguments = ["format", "--cluster-id", self._place.cluster_id, "--config", str(self._properties)]
        for feature in self._place.features:
            arguments += ["--feature", feature]
        done = run(self._command("kafka.tools.StorageTool", *arguments), within)
        if done.returncode != 0:
            raise BrokerError(f"Kafka could not format {self._data}:\n{done.stdout.strip()[-2000:]}")

    def _log_tail(self, lines: int = 20) -> str:
        told = [
            line
            for line in self.log.read_text(errors="replace").splitlines()
            if not line.startswith("\tat ")  # where in Kafka's source helps nobody here
        ]
        return "\n".join([*told[-lines:], f"(the whole log: {self.log})"])


def _node(place: Place, listeners: Sequence[Listener]) -> dict[str, str | int]:
    # A static list of voters, also for one node: several nodes are written the same way.
    controllers = [f"{LOOPBACK}:{port}" for port in place.controllers]
    protocols = [f"{listener.name}:{listener.protocol}" for listener in listeners]
    bound: list[str] = []
    node: dict[str, str | int] = {
        "process.roles": place.role,
        "node.id": place.node,
        "controller.quorum.voters": ",".join(f"{node}@{at}" for node, at in enumerate(controllers, 1)),
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": ",".join([*protocols, "CONTROLLER:PLAINTEXT"]),
    }
    if place.role is not Role.CONTROLLER:
        bound += [f"{listener.name}://{LOOPBACK}:{listener.port}" for listener in listeners]
        advertised = [f"{listener.name}://{LOOPBACK}:{listener.advertised}" for listener in listeners]
        node["advertised.listeners"] = ",".join(advertised)
        node["inter.broker.listener.name"] = listeners[0].name
    if place.role is not Role.BROKER:
        bound.append(f"CONTROLLER://{controllers[place.node - 1]}")
    node["listeners"] = ",".join(bound)
    return node
