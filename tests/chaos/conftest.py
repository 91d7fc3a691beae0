"""Fixtures of the fault tests: clusters of the test's own, and a broker behind a proxy of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.proxy import Proxy
from tests.conftest import NewBroker
from worker.devkit.kafka import KafkaBroker, Listener
from worker.devkit.ports import LOOPBACK, free_ports

NewCluster = Callable[[int], Cluster]
"""Makes a cluster of so many nodes, which ``async with`` begins and ends."""


@pytest.fixture
def new_cluster(new_broker: NewBroker, tmp_path: Path) -> NewCluster:
    """A cluster of this test's own, with its files under ``cluster`` in the test's directory."""
    new_broker()  # skips, and says so, where Kafka cannot be run

    def make(nodes: int) -> Cluster:
        return Cluster(tmp_path / "cluster", nodes=nodes)

    return make


class Proxied(NamedTuple):
    """A broker that others use too, and a proxy of this test's own before it."""

    direct: str
    """The broker's own address."""
    bootstrap: str
    """The proxy's: who begins here never sees another."""
    proxy: Proxy


class _Hidden(NamedTuple):
    """A broker that tells those who come to ``port`` that it is at ``seen``, where nothing is yet."""

    broker: KafkaBroker
    port: int
    seen: int


@pytest.fixture(scope="package")
def hidden_broker(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Hidden]:
    """A broker to put proxies before. (It asks for the session's, which skips where Kafka cannot be run.)"""
    port, seen = free_ports(2)
    broker = KafkaBroker(
        tmp_path_factory.mktemp("hidden"),
        settings={"group.min.session.timeout.ms": 1000},
        listeners=[Listener("PROXIED", port, seen)],
    )
    with broker:
        yield _Hidden(broker, port, seen)


@pytest.fixture
async def proxied(hidden_broker: _Hidden) -> AsyncIterator[Proxied]:
    """The package's broker behind a new proxy. Name topics, groups and transactional ids after ``prefix``."""
    broker, port, seen = hidden_broker
    proxy = Proxy(seen, port)
    await proxy.start()
    yield Proxied(broker.bootstrap, f"{LOOPBACK}:{seen}", proxy)
    await proxy.close()
