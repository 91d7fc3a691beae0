"""A broker that may be killed amid transactions: its controller is a node of its own, and outlives it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from tests.stream.killing import QUICK_BROKER
from tests.stream.streamkit import until
from worker.devkit.kafka import Place, Role, new_cluster_id
from worker.devkit.ports import free_ports

if TYPE_CHECKING:
    from tests.conftest import NewBroker

CONTROLLER, BROKER = 1, 2


class Fragile:
    """A cluster of one broker and one controller, which end with the test.

    Attributes: ``bootstrap``, the broker's address.
    """

    def __init__(self, new_broker: NewBroker) -> None:
        """Start them. Blocks."""
        cluster_id, controllers = new_cluster_id(), free_ports(1)
        self._controller, self._broker = (
            new_broker(place=Place(node, cluster_id, controllers, role), **QUICK_BROKER).start()
            for node, role in ((CONTROLLER, Role.CONTROLLER), (BROKER, Role.BROKER))
        )
        self.bootstrap = self._broker.bootstrap
        self._fencings = 0

    async def kill(self) -> None:
        """Kill the broker as a crash would (SIGKILL)."""
        self._fencings = self._controller.fencings(BROKER)
        await asyncio.to_thread(self._broker.kill)

    async def revive(self) -> None:
        """Start the killed broker, once the cluster knows that it was away."""
        known = self._fencings
        await until(lambda: self._controller.fencings(BROKER) > known, "the controller to miss its broker")
        await asyncio.to_thread(self._broker.start)

    async def freeze(self) -> None:
        """Stop the broker as a hanging machine would: connections stay, nothing answers (SIGSTOP)."""
        os.kill(self._pid, signal.SIGSTOP)

    async def thaw(self) -> None:
        """Let the frozen broker go on."""
        os.kill(self._pid, signal.SIGCONT)

    @property
    def _pid(self) -> int:
        assert self._broker.pid is not None
        return self._broker.pid
