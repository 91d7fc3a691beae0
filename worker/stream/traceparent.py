"""The trace that a record belongs to, as its ``traceparent`` header says (W3C Trace Context)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from worker.adjudication.redacted import redacted

if TYPE_CHECKING:
    from worker.adjudication.decode import Headers

TRACEPARENT = "traceparent"
SAMPLED = 1
"""The flag of a trace that its sender records."""

_FORM = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
"""W3C Trace Context, level 1, section 3.2.2: version, trace, span, flags; more only of a later version."""
_LONGEST = 512


@redacted
class Origin(NamedTuple):
    """The span that a record was sent in, as its ``traceparent`` says."""

    trace_id: int
    span_id: int
    flags: int


def origin(headers: Headers) -> Origin | None:
    """The span that the headers of a record name; None where they name none, or not as W3C has it.

    Of several the last one counts, as it does for Kafka's own clients.
    """
    for name, value in reversed(headers):
        if name == TRACEPARENT:
            return _origin(value or b"")
    return None


def _origin(value: bytes) -> Origin | None:
    match = _FORM.fullmatch(value) if len(value) <= _LONGEST else None
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == b"00" and more is not None:
        return None
    return Origin(int(trace_id, 16), int(span_id, 16), int(flags, 16))
