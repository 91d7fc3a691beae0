"""A TCP proxy before one broker, which can cut, delay, and hold back single frames of Kafka's protocol."""

from __future__ import annotations

import asyncio
from typing import Protocol

from tests.chaos.frames import Direction
from tests.chaos.link import Link
from worker.devkit.ports import LOOPBACK


class Proxy:
    """Forwards connections to ``port`` on to ``upstream``, both on loopback, in the running event loop.

    ``delay`` is the time in seconds by which every byte, both ways, is late; their order is kept.
    """

    def __init__(self, port: int, upstream: int) -> None:
        self.port = port
        self.upstream = upstream
        self.delay = 0.0
        self.is_cut = False
        self.links: set[Link] = set()
        self._awaited: list[Held] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Accept connections. Raises OSError if the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Link(self).client, LOOPBACK, self.port)

    async def close(self) -> None:
        """Drop every connection and accept no more."""
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection, and every new one as soon as it is made, until ``mend``."""
        self.is_cut = True
        for link in list(self.links):
            link.cut()

    def mend(self) -> None:
        """Let connections through again."""
        self.is_cut = False

    def hold(self, api_key: int, *, of: Direction, topic: str | None = None) -> Held:
        """Hold the next frame with this API key; later frames of the same connection wait behind it.

        A response is told by its request, even by one that went through before. With ``topic`` it is the next
        frame in which the bytes of this name occur, anywhere: a longer name that contains it counts too, and
        versions of a request that carry topic ids in place of names never do.
        """
        held = Held(self, api_key, of, topic)
        self._awaited.append(held)
        return held

    def awaited(self, api_key: int | None, of: Direction) -> list[Held]:
        """Those that wait for such a frame, in the order in which they were asked for."""
        return [held for held in self._awaited if held.api_key == api_key and held.of == of]

    def forget(self, held: Held) -> None:
        """Let it wait for nothing any more."""
        if held in self._awaited:
            self._awaited.remove(held)


class Holder(Protocol):
    """Where a frame is held."""

    def go_on(self) -> None:
        """Forward the frame and what waits behind it."""

    def cut(self) -> None:
        """Reset the connection."""


class Held:
    """A frame to be held back, which it is once ``caught`` is set."""

    def __init__(self, proxy: Proxy, api_key: int, of: Direction, topic: str | None) -> None:
        self.caught = asyncio.Event()
        self.api_key = api_key
        self.of = of
        self._topic = b"" if topic is None else topic.encode()
        self._proxy = proxy
        self._holder: Holder | None = None

    def release(self) -> None:
        """Forward the frame, late, even if its sender is gone. Does nothing if its connection was cut."""
        holder, self._holder = self._holder, None
        if holder is not None:
            holder.go_on()

    def drop(self) -> None:
        """Reset its connection: the frame never arrives, nor does what waits behind it."""
        holder, self._holder = self._holder, None
        if holder is not None:
            holder.cut()

    def cancel(self) -> None:
        """Wait for a frame no more; one that is held goes on."""
        self._proxy.forget(self)
        self.release()

    def fits(self, frame: bytes) -> bool:
        """Whether a frame of its API key and direction is the one to hold."""
        return self in self._proxy.awaited(self.api_key, self.of) and self._topic in frame

    def catch(self, holder: Holder) -> None:
        """Be told that the frame is held, and where."""
        self._proxy.forget(self)
        self._holder = holder
        self.caught.set()
