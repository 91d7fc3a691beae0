"""A real Prometheus Pushgateway on a free loopback port, for what ends before it could be scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.grafana.server import Server
from worker.devkit.ports import free_ports

if TYPE_CHECKING:
    from pathlib import Path


class Pushgateway(Server):
    """One gateway; it forgets what was pushed when it ends."""

    NAME = "prometheus-pushgateway"

    def __init__(self, directory: Path) -> None:
        """Start it; ready once ``ready`` has returned."""
        # Debian's build keeps what was pushed in a file of the system, if it is not told otherwise.
        super().__init__(free_ports(1)[0], ["--persistence.file="], directory)
