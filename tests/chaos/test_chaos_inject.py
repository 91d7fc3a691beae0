"""Faults of connections meet connections: a node that runs and that somebody has come to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from tests.chaos.faults import Fault, Kind
from tests.chaos.inject import Stage, carry_out
from tests.chaos.journal import Journal
from tests.chaos.proxy import Proxy
from tests.stream.streamkit import until
from worker.devkit.ports import LOOPBACK, free_ports
from worker.settings import Settings

NODES = 3


class Scene(NamedTuple):
    """Proxies before a server that says nothing, and what is told of them."""

    proxies: list[Proxy]
    stage: Stage
    told: list[str]

    async def connect(self, node: int, ending: AsyncExitStack) -> None:
        before = len(self.proxies[node].links)
        _, writer = await asyncio.open_connection(LOOPBACK, self.proxies[node].port)
        ending.callback(writer.close)
        await until(lambda: len(self.proxies[node].links) > before, "the proxy to see it")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    upstream, *ports = free_ports(1 + NODES)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with AsyncExitStack() as ending:
        await ending.enter_async_context(await asyncio.start_server(serve, LOOPBACK, upstream))
        proxies = [Proxy(port, upstream) for port in ports]
        for proxy in proxies:
            await proxy.start()
            ending.push_async_callback(proxy.close)
        told: list[str] = []
        cluster: Any = SimpleNamespace(proxies=proxies, running={0, 2})
        fleet: Any = None
        journal = Journal(tmp_path / "timeline.log", told.append, dict)
        made = Scene(proxies, Stage(cluster, Settings.model_construct(), fleet, journal), told)
        for node in (1, 2, 2):  # 1 is down, nobody has come to 0
            await made.connect(node, ending)
        yield made


@pytest.mark.parametrize("choice", [0.0, 0.5, 0.99])
async def test_connections_are_cut_where_there_are_some_and_counted(scene: Scene, choice: float) -> None:
    await carry_out([[Fault(0, Kind.CONNECTIONS_CUT, 0, choice)]], scene.stage)
    assert [bool(proxy.links) for proxy in scene.proxies] == [False, True, False]
    assert scene.told[0].endswith("connections to a broker cut: node 2 for 0 s, 2 connections")
    assert not any(proxy.is_cut for proxy in scene.proxies)


async def test_connections_are_delayed_by_what_was_drawn_and_only_meanwhile(scene: Scene) -> None:
    fault = Fault(0, Kind.CONNECTIONS_DELAYED, 0.5, 0.0, delay=0.2)
    delaying = asyncio.create_task(carry_out([[fault]], scene.stage))
    await until(lambda: scene.proxies[2].delay, "the delay to begin")
    assert [proxy.delay for proxy in scene.proxies] == [0, 0, 0.2]
    assert scene.told[0].endswith("node 2 by 0.2 s for 0.5 s, 2 connections")
    await delaying
    assert [proxy.delay for proxy in scene.proxies] == [0, 0, 0]
    assert [one.kind for one in scene.stage.journal.recoveries] == []
    scene.stage.journal.drained()
    assert [one.kind for one in scene.stage.journal.recoveries] == [Kind.CONNECTIONS_DELAYED]
