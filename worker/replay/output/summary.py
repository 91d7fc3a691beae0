"""``summary.json``: what a replay was asked, what it read, and what it found."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from worker.replay.reading.evidence import Shard
from worker.replay.telling.outcome import Counts


class SourceSummary(Struct, frozen=True):
    """A topic's partition or a file that was read. Places are offsets or line numbers, ends left out."""

    role: Literal["events", "results"]
    name: str
    """The topic, or the file's name as it was given."""
    partition: int | None
    begin: int
    end: int
    records: int
    sha256: str
    """Of a file over its bytes; of a partition chained over its records (``worker.replay.reading.chain``)."""


class BasisSummary(Struct, frozen=True):
    """Policies and code sets that events were decided by again."""

    digest: str
    """``basis.digest`` of the results."""
    engine: str
    policies_digest: str
    code_sets_digest: str
    where: str
    """``the package``, or the directory."""
    results: int
    """Published results that name it."""


class Window(Struct, frozen=True):
    """What was asked for, as it was given, and what it came to."""

    asked_from: str | None
    asked_to: str | None
    first_event: str | None
    """Time of the window's first and last event, ISO 8601 in UTC to the second."""
    last_event: str | None


class Summary(Struct, frozen=True):
    """The whole of ``summary.json``. It holds no clock: the same evidence gives the same bytes."""

    kind: Literal["replay", "what-if", "impact"]
    """A replay with the recorded basis; one with another basis beside it; or without published results."""
    verdict: Literal["reproduced", "differs"]
    engine: str
    """Version of the rules that decided again."""
    window: Window
    recorded: tuple[BasisSummary, ...]
    """The bases of the published results, each found again."""
    compared: BasisSummary | None
    """The other basis, where one was asked for."""
    look_back_days: int
    max_bytes: int
    max_day_lines: int
    with_phi: bool
    shards: tuple[Shard, ...]
    sources: tuple[SourceSummary, ...]
    counts: Counts
    by_partition: dict[str, Counts]
