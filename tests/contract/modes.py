"""One event in the two CloudEvents modes of the Kafka binding."""

from __future__ import annotations

import json
from typing import Any

ATTRIBUTES = ("specversion", "id", "source", "type", "time")


def structured(event: object) -> bytes:
    return json.dumps(event).encode()


def binary(event: dict[str, Any]) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Value and headers. Attributes that are not strings cannot be said in a header, so there are none."""
    headers = [
        (f"ce_{name}", event[name].encode()) for name in ATTRIBUTES if isinstance(event.get(name), str)
    ]
    return json.dumps(event["data"], ensure_ascii=False).encode(), [
        *headers,
        ("content-type", b"application/json"),
    ]
