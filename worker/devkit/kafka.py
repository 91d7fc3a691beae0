"""A real Apache Kafka broker on loopback ports: one KRaft node in a directory of its own, no containers."""

from __future__ import annotations

import fcntl
import time
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Self
from uuid import uuid4

from worker.devkit.jars import PROJECT, BrokerError, java, kafka_jars, kafka_version
from worker.devkit.ports import LOOPBACK, free_ports, is_free
from worker.devkit.process import Child, run
from worker.devkit.ready import broker_is_ready

if TYPE_CHECKING:
    from collections.abc import Mapping
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


class KafkaBroker:
    """One Kafka node that can be started, stopped, killed and started again with the same address and data.

    As a context manager it is ready on entry and stopped on exit. It never outlives the process that
    started it. Attributes: ``bootstrap``, its address; ``kind``, what it is in words; ``log``, its log file.
    """

    def __init__(
        self, directory: Path, *, port: int | None = None, settings: Mapping[str, str | int] | None = None
    ) -> None:
        """Keep data, settings and log under ``directory``; listen on ``port`` or else on a free one.

        ``settings`` are broker settings (those of ``server.properties``) that override the devkit's.
        Raises BrokerError if the machine cannot run it.
        """
        self._java, self._jars = java(), kafka_jars()
        own_port, controller_port = free_ports(2)
        self._port = port or own_port
        self.kind = f"Apache Kafka {kafka_version(self._jars)}"
        self.bootstrap = f"{LOOPBACK}:{self._port}"
        self.log = directory / "broker.log"
        self._data = directory / "data"
        self._properties = directory / "server.properties"
        self._lock = directory / "lock"
        self._held: IO[str] | None = None
        self._child: Child | None = None
        controller = f"{LOOPBACK}:{controller_port}"
        self._settings = _properties(self.bootstrap, controller, self._data, settings or {})

    def start(self, within: float = START_SECONDS) -> Self:
        """Start it, with the data that it has, and return when it is ready.

        Ready means that it has answered ApiVersions and committed a transaction, not that its port is open.
        Blocks: from a coroutine call it through ``asyncio.to_thread``.
        Raises BrokerError with the end of the broker's log if it is not ready ``within`` seconds.
        """
        if not is_free(self._port):
            raise BrokerError(f"port {self._port} of {LOOPBACK} is taken: choose another or free it")
        self._claim_directory()
        try:
            self._properties.write_text(self._settings)
            if not (self._data / "meta.properties").is_file():
                self._format(within)
            self._child = Child(self._command("kafka.Kafka", str(self._properties)), self.log)
            self._await_ready(time.monotonic() + within)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self, within: float = STOP_SECONDS) -> None:
        """Shut it down cleanly, or kill it after ``within`` seconds. Its data stays for the next start."""
        if self._child is not None:
            self._child.stop(within)
        self._release()

    def kill(self) -> None:
        """Kill it as a crash would (SIGKILL). Its data stays for the next start."""
        if self._child is not None:
            self._child.kill()
        self._release()

    def check(self) -> None:
        """Raise BrokerError with the end of its log if it has died by itself."""
        if self._child is not None and self._child.exit_code is not None:
            raise BrokerError(f"Kafka exited with {self._child.exit_code}:\n{self._log_tail()}")

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
        return [self._java, *_JVM, logging, "-cp", f"{self._jars}/*", main, *arguments]

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
        arguments = ("format", "--cluster-id", uuid4().hex[:22], "--config", str(self._properties))
        done = run(self._command("kafka.tools.StorageTool", *arguments), within)
        if done.returncode != 0:
            raise BrokerError(f"Kafka could not format {self._data}:\n{done.stdout.strip()[-2000:]}")

    def _await_ready(self, deadline: float) -> None:
        # In a thread of its own: the caller's may have a running event loop.
        with ThreadPoolExecutor(max_workers=1) as apart:
            while not apart.submit(broker_is_ready, self.bootstrap, deadline).result():
                self.check()
                if time.monotonic() >= deadline:
                    raise BrokerError(f"Kafka at {self.bootstrap} did not get ready:\n{self._log_tail()}")

    def _log_tail(self, lines: int = 20) -> str:
        told = [
            line
            for line in self.log.read_text(errors="replace").splitlines()
            if not line.startswith("\tat ")  # where in Kafka's source helps nobody here
        ]
        return "\n".join([*told[-lines:], f"(the whole log: {self.log})"])


def _properties(client: str, controller: str, data: Path, overrides: Mapping[str, str | int]) -> str:
    # A static list of voters also for one node: several nodes are written the same way.
    node: dict[str, str | int] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{client}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(data),
    }
    return "".join(f"{name}={value}\n" for name, value in {**node, **_SETTINGS, **overrides}.items())
