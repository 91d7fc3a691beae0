"""One connection through a proxy: a client's, the proxy's own to the broker for it, and a stream each way.

Nothing waits in the event loop. Bytes go through as they come: frames are told apart, but only one that may
have to be held is collected.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tests.chaos.frames import Direction, Frames, Head, Part
from worker.devkit.ports import LOOPBACK

if TYPE_CHECKING:
    from tests.chaos.proxy import Held, Proxy

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of no time at all


class Link:
    """Two ends that belong together. ``client`` is the protocol of an accepted connection."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.unanswered: dict[int, int] = {}
        """API keys of requests by correlation id. (One that asks for no answer, acks=0, stays.)"""
        self.client, self._broker = _End(self._accepted), _End(self._connected)
        self._requests = _Stream(self, "request", self._broker)
        self._responses = _Stream(self, "response", self.client)
        self.client.join(self._requests, self._broker)
        self._broker.join(self._responses, self.client)
        self._connecting: asyncio.Task[None] | None = None

    def cut(self) -> None:
        """Reset both connections; what is on its way is lost."""
        self.proxy.links.discard(self)
        self._requests.forget()
        self._responses.forget()
        self.client.reset()
        self._broker.reset()

    def _accepted(self) -> None:
        if self.proxy.is_cut:
            self.client.reset()
            return
        self.proxy.links.add(self)
        self._connecting = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self._broker, LOOPBACK, self.proxy.upstream)
        except OSError:  # the broker is down
            self.cut()

    def _connected(self) -> None:
        if self not in self.proxy.links:  # cut in the meantime
            self._broker.reset()
            return
        self._requests.go_on()
        self._responses.go_on()

    def closed(self) -> None:
        """Be told that one end is; when both are, nothing is left."""
        if self.client.is_closed and self._broker.is_closed:
            self.proxy.links.discard(self)


class _End(asyncio.Protocol):
    """One end of a link. It reads no faster than the other end can write."""

    def __init__(self, opened: Callable[[], None]) -> None:
        self._opened = opened
        self._transport: asyncio.Transport | None = None

    def join(self, stream: _Stream, other: _End) -> None:
        """Say where the bytes go that are read here, and which end is the other one."""
        self._stream, self._other = stream, other

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._opened()

    def data_received(self, data: bytes) -> None:
        self._stream.receive(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._stream.end()

    def pause_writing(self) -> None:
        if self._other._transport is not None:
            self._other._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._other._transport is not None:
            self._other._transport.resume_reading()

    @property
    def is_closed(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self.is_closed:
            self._transport.write(data)

    def close(self) -> None:
        """Close it when all that was written has gone out."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Close it at once, with a reset."""
        if self._transport is None:
            return
        if not self._transport.is_closing():
            connected: socket.socket = self._transport.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()


class _Late(NamedTuple):
    due: float
    data: bytes | None
    """None closes the target."""


class _Stream:
    """One direction of a link: bytes in, past those who wait for a frame, through the delay, and out.

    It stands still until its link is complete, and while a frame of it is held.
    """

    def __init__(self, link: Link, of: Direction, target: _End) -> None:
        self._link = link
        self._of = of
        self._frames = Frames(of)
        self._target = target
        self._still = True
        self._ended = False
        self._parts: deque[tuple[Part, int | None]] = deque()
        self._awaited: list[Held] = []
        self._frame: list[bytes] = []
        self._late: deque[_Late] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def receive(self, chunk: bytes) -> None:
        for part in self._frames.cut(chunk):
            self._parts.append((part, self._api_key(part.head)))
        self._flow()

    def end(self) -> None:
        """Be told that no more comes: what is here still goes its way, then the target is closed."""
        self._ended = True
        self._flow()
        self._link.closed()

    def go_on(self) -> None:
        """Forward the frame that is held, if one is, and what waits behind it."""
        self._still = False
        frame, self._frame = self._frame, []
        self._send(b"".join(frame))
        self._flow()

    def cut(self) -> None:
        self._link.cut()

    def forget(self) -> None:
        """Drop all that is here."""
        self._parts.clear()
        self._frame.clear()
        self._late.clear()

    def _api_key(self, head: Head | None) -> int | None:
        if head is None:
            return None
        if head.api_key is None:
            return self._link.unanswered.pop(head.correlation_id, None)
        self._link.unanswered[head.correlation_id] = head.api_key
        return head.api_key

    def _flow(self) -> None:
        passing: list[bytes] = []
        while self._parts and not self._still:
            part, api_key = self._parts.popleft()
            if part.head is not None:
                self._awaited = self._link.proxy.awaited(api_key, self._of)
            if self._awaited:
                self._collect(part, passing)
            else:
                passing.append(part.data)
        self._send(b"".join(passing))
        if self._ended and not self._still:
            self._send(None)

    def _collect(self, part: Part, passing: list[bytes]) -> None:
        self._frame.append(part.data)
        if not part.ends:
            return
        frame = b"".join(self._frame)
        held = next((held for held in self._awaited if held.fits(frame)), None)
        if held is not None:
            self._still = True
            held.catch(self)
        else:
            passing.append(frame)
            self._frame = []

    def _send(self, data: bytes | None) -> None:
        delay = self._link.proxy.delay
        if not delay and not self._late:
            self._write(data)
            return
        now = asyncio.get_running_loop().time()
        earliest = self._late[-1].due if self._late else now  # a shorter delay overtakes nothing
        self._late.append(_Late(max(now + delay, earliest), data))
        if self._timer is None:
            self._wake()

    def _wake(self) -> None:
        loop = asyncio.get_running_loop()
        while self._late and self._late[0].due <= loop.time():
            self._write(self._late.popleft().data)
        self._timer = loop.call_at(self._late[0].due, self._wake) if self._late else None

    def _write(self, data: bytes | None) -> None:
        if data is None:
            self._target.close()
        elif data:
            self._target.write(data)
