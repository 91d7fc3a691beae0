"""A program that serves on a loopback port, from its start until its stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import aiohttp

from tests.grafana.programs import program
from tests.stream.streamkit import until
from worker.devkit.ports import LOOPBACK
from worker.devkit.process import Child

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STOP_S = 20.0


class Server:
    """One of Prometheus's programs: they all say at ``/-/ready`` when they are."""

    NAME: ClassVar[str]
    """The program."""

    def __init__(self, port: int, options: Sequence[str], directory: Path) -> None:
        """Start it on a port; its log goes to the directory."""
        self.address = f"{LOOPBACK}:{port}"
        self.url = f"http://{self.address}"
        self.log = directory / f"{self.NAME}.log"
        arguments = [program(self.NAME), f"--web.listen-address={self.address}", *options]
        self._child = Child(arguments, self.log)

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
        """Wait until it answers."""

        async def is_ready() -> bool:
            assert self._child.exit_code is None, self.log.read_text()
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200

        await until(is_ready, f"{self.NAME} to be ready")

    def stop(self) -> None:
        """End it."""
        self._child.stop(STOP_S)
