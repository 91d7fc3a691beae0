"""What rules say about a line: a finding to publish, and the effect that it has on the decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

import orjson
from msgspec import Struct

from worker.adjudication.policy import Adjustment
from worker.adjudication.redacted import redacted

Verdict: TypeAlias = Literal["met", "not_met", "unknown", "violated", "satisfied"]
Effect: TypeAlias = Literal["none", "limit", "pend", "deny"]
Evidence: TypeAlias = tuple[tuple[str, object], ...]


@redacted
class Finding(Struct, frozen=True):
    """One rule's word on one line, as the contract publishes it.

    ``reason`` is one plain sentence in the project's own words; ``json`` is its encoding, made once because
    most findings recur, and ``encoded`` the same for the encoder.
    """

    rule: str
    verdict: Verdict
    policy: str
    version: str
    citation: str
    evidence: Mapping[str, object]
    reason: str
    json: bytes
    encoded: orjson.Fragment


@redacted
class Ruling(NamedTuple):
    """A finding with its effect: a denial, a pend for facts or for another line, or fewer units."""

    finding: Finding
    effect: Effect
    adjustment: Adjustment | None = None
    needed: tuple[str, ...] = ()
    """Facts of which any one could settle a pend; none when it hangs on another line."""
