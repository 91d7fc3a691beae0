"""Fixtures of the fault tests: clusters of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.cluster import Cluster
from tests.conftest import NewBroker

NewCluster = Callable[[int], Cluster]
"""Makes a cluster of so many nodes, which ``async with`` begins and ends."""


@pytest.fixture
def new_cluster(new_broker: NewBroker, tmp_path: Path) -> NewCluster:
    """A cluster of this test's own, with its files under ``cluster`` in the test's directory."""
    new_broker()  # skips, and says so, where Kafka cannot be run

    def make(nodes: int) -> Cluster:
        return Cluster(tmp_path / "cluster", nodes=nodes)

    return make
