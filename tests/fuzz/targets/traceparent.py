"""The header of a trace: the whole input is its value, or headers of which several have its name."""

from __future__ import annotations

from tests.fuzz.framing import record_of
from worker.stream.traceparent import TRACEPARENT, Origin, origin


def check(data: bytes) -> None:
    _assert_sound(data, origin([(TRACEPARENT, data)]))
    _, headers = record_of(data)
    named = [value for name, value in headers if name == TRACEPARENT]
    found = origin(headers)
    assert found is None or named
    if named:
        _assert_sound(named[-1] or b"", found)


def _assert_sound(value: bytes, found: Origin | None) -> None:
    """W3C: neither id is zero, and what was read can be written again as it stood."""
    if found is None:
        return
    assert 0 < found.trace_id < 1 << 128
    assert 0 < found.span_id < 1 << 64
    assert value[3:].startswith(b"%032x-%016x-%02x" % (found.trace_id, found.span_id, found.flags))
