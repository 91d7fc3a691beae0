"""A real Prometheus Pushgateway on a free loopback port, for what ends before it could be scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import aiohttp

from tests.grafana.programs import program
from tests.stream.streamkit import until
from worker.devkit.ports import LOOPBACK, free_ports
from worker.devkit.process import Child

if TYPE_CHECKING:
    from pathlib import Path

STOP_S = 10.0


class Pushgateway:
    """One gateway; it forgets what was pushed when it ends."""

    def __init__(self, directory: Path) -> None:
        """Start it; ready once ``ready`` has returned."""
        (port,) = free_ports(1)
        self.address = f"{LOOPBACK}:{port}"
        self.url = f"http://{self.address}"
        self._log = directory / "pushgateway.log"
        # Debian's build keeps what was pushed in a file of the system, if it is not told otherwise.
        options = [f"--web.listen-address={self.address}", "--persistence.file="]
        self._child = Child([program("prometheus-pushgateway"), *options], self._log)

    async def __aenter__(self) -> Self:
        try:
            await self.ready()
        except BaseException:
            self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    async def ready(self) -> None:
        """Wait until it takes what is pushed."""

        async def is_ready() -> bool:
            assert self._child.exit_code is None, self._log.read_text()
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200

        await until(is_ready, "the Pushgateway to be ready")

    def stop(self) -> None:
        """End it."""
        self._child.stop(STOP_S)
