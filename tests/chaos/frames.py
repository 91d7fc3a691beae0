"""Kafka's frames in a stream of bytes: where they begin and end, whatever pieces the bytes come in.

A frame is the length of what follows (int32) and as many bytes. A request begins with its API key (int16),
the version (int16) and a correlation id (int32), the response to it with the same correlation id.
"""

from __future__ import annotations

import struct
from typing import Literal, NamedTuple

PRODUCE = 0
END_TXN = 26
"""API keys."""

Direction = Literal["request", "response"]

_LENGTH = 4
_FORMS = {"request": struct.Struct(">ihhi"), "response": struct.Struct(">ii")}
_BOUND = 1 << 30
"""A frame that says to be longer is none: brokers refuse requests above 100 MiB."""


class Head(NamedTuple):
    """How a frame begins. ``api_key`` is None for a response: only its request says what it answers."""

    correlation_id: int
    api_key: int | None = None


class Part(NamedTuple):
    """Consecutive bytes of one frame: ``head`` is there if they begin it, ``ends`` if they complete it."""

    data: bytes
    head: Head | None
    ends: bool


class Frames:
    """Cuts one direction of a connection into parts of frames, without waiting for frames to be whole.

    Only the few bytes of a head are kept back until they are complete.
    """

    def __init__(self, of: Direction) -> None:
        self._form = _FORMS[of]
        self._kept = b""
        self._missing = 0

    def cut(self, chunk: bytes) -> list[Part]:
        """The parts of frames in the next bytes. Raises ValueError where a frame has an impossible length."""
        data, at, parts = self._kept + chunk, 0, []
        while at < len(data):
            head = None
            if not self._missing:
                if len(data) - at < self._form.size:
                    break
                head = self._begin(data, at)
            end = min(at + self._missing, len(data))
            self._missing -= end - at
            parts.append(Part(data[at:end], head, ends=not self._missing))
            at = end
        self._kept = data[at:]
        return parts

    def _begin(self, data: bytes, at: int) -> Head:
        length, *rest = self._form.unpack_from(data, at)
        if not self._form.size <= _LENGTH + length <= _BOUND:
            raise ValueError(f"a frame of {length} bytes: this is not Kafka's protocol")
        self._missing = _LENGTH + length
        return Head(rest[-1], rest[0] if len(rest) > 1 else None)
