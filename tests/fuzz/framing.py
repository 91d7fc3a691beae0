"""A Kafka record as one string of bytes, so that a fuzzer can change all of it and a person can read it.

Headers come first, a line each, ``name: value``; a line without a colon is a header whose value is null. An
empty line ends them, and what follows is the record's value. Without an empty line there are no headers.
"""

from __future__ import annotations

from worker.adjudication.decode import Headers
from worker.stream.records import ESCAPED, RawName

_END = b"\n\n"


def record_of(data: bytes) -> tuple[bytes, Headers]:
    """Value and headers, names that are not UTF-8 as the stream has them: ``RawName``."""
    head, end, value = data.partition(_END)
    return (value, [_header(line) for line in head.split(b"\n")]) if end else (data, [])


def framed(value: bytes, headers: Headers) -> bytes:
    """The record as bytes; ``record_of`` takes them apart where no header holds a line feed."""
    lines = [name.encode("utf-8", ESCAPED) + (b"" if raw is None else b": " + raw) for name, raw in headers]
    return b"\n".join(lines) + _END + value


def _header(line: bytes) -> tuple[str, bytes | None]:
    name, colon, value = line.partition(b": ")
    raw = value if colon else None
    try:
        return name.decode(), raw
    except UnicodeDecodeError:
        return RawName(name.decode("utf-8", ESCAPED)), raw
