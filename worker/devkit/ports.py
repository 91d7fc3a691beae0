"""Loopback ports for servers that live as long as a demo or a test."""

from __future__ import annotations

import socket
from random import SystemRandom

LOOPBACK = "127.0.0.1"

# Below the range from which systems give outgoing connections their ports (Linux: from 32768). A broker keeps
# its port while it is down; in that range a client that reconnects could be given it, or even meet itself.
_CANDIDATES = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """``count`` different loopback ports on which nobody listens now."""
    found: list[int] = []
    for port in SystemRandom().sample(_CANDIDATES, k=len(_CANDIDATES)):
        if len(found) == count:
            break
        if is_free(port):
            found.append(port)
    return found


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do, or old connections count
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
