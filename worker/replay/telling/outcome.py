"""What a shard's replay came to, in numbers that add up over shards."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from worker.adjudication.redacted import redacted
from worker.replay.reading.evidence import Shard
from worker.replay.telling.differences import Example

SHOWN_CLAIMS = 100
"""Differing claims that are shown whole, the first by partition and offset."""
NONE = "none"
"""Stands for no result, or no such line, where a flow begins or ends."""


@redacted
class Amount(Struct):
    """What differing lines come to. Charges are whole cents of what was billed."""

    lines: int = 0
    units_before: int = 0
    """Units allowed; none on pends."""
    units_after: int = 0
    charge_cents: int | None = 0
    """None where it is withheld (``worker.replay.output.withholding``)."""

    results: int = 0
    """Results that these lines are of; of a claim there may be several."""

    def add(self, other: Amount) -> None:
        """Take another amount's numbers in."""
        self.lines += other.lines
        self.results += other.results
        self.units_before += other.units_before
        self.units_after += other.units_after
        if self.charge_cents is None or other.charge_cents is None:
            self.charge_cents = None
        else:
            self.charge_cents += other.charge_cents


@redacted
class Counts(Struct):
    """Numbers of a replay. Days are ISO dates (UTC) of the events: CloudEvents time, else the record's."""

    events_warmed_up: int = 0
    """Before the window: decided for history's sake, their output suppressed."""
    events_replayed: int = 0
    events_rejected: dict[str, int] = field(default_factory=dict)
    """Events of the window that are dead letters, by reason."""
    events_undecidable: int = 0
    """Events without results where the recorded basis changed, of which one of the two would have given some:
    if a result of theirs was taken away, that cannot be told."""
    results_published: int = 0
    """Published results that belong to the window."""
    results_decided: int = 0
    """Results that replaying the window gives."""
    reproduced: int = 0
    """Results that were published as the recorded basis gives them again, byte for byte."""
    results_by_cause: dict[str, int] = field(default_factory=dict)
    lines_by_cause: dict[str, int] = field(default_factory=dict)
    """Rows of the tables that are about a line."""
    lines_by_change: dict[str, int] = field(default_factory=dict)
    """The same by what differs (``worker.replay.telling.differences.Change``)."""
    claims_differing: int = 0
    claims_decided_otherwise: int = 0
    """Claims that differ in more than reasons or bytes."""
    outcomes_before: dict[str, int] = field(default_factory=dict)
    """Results by outcome, as published."""
    outcomes_after: dict[str, int] = field(default_factory=dict)
    outcome_flows: dict[str, dict[str, int]] = field(default_factory=dict)
    """Results by outcome before and outcome after, ``none`` where a side has no result."""
    line_flows: dict[str, dict[str, int]] = field(default_factory=dict)
    """Differing lines by decision before and after."""
    causes_by_day: dict[str, dict[str, int]] = field(default_factory=dict)
    """Results that differ, by day and cause."""
    carcs_by_day: dict[str, dict[str, int]] = field(default_factory=dict)
    """Differing lines by day and CARC that one of the sides has and the other has not."""
    amounts: dict[str, dict[str, Amount]] = field(default_factory=dict)
    """What differing lines come to, by decision before and decision after."""

    def add(self, other: Counts) -> None:
        """Take another shard's numbers in."""
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, int):
                setattr(self, name, mine + theirs)
            else:
                _add_into(mine, theirs)

    @property
    def results_differing(self) -> int:
        """Results of either side that are not reproduced."""
        return sum(self.results_by_cause.values())


def _add_into(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    for name, value in theirs.items():
        if isinstance(value, dict):
            _add_into(mine.setdefault(name, {}), value)
        elif isinstance(value, Amount):
            mine.setdefault(name, Amount()).add(value)
        else:
            mine[name] = mine.get(name, 0) + value


@redacted
class ShardOutcome(Struct):
    """All that one shard's replay leaves, beside its rows."""

    shard: Shard
    counts: Counts
    examples: list[Example]
    """At most ``SHOWN_CLAIMS``."""
    events_sha256: str
    """Chained over every event that was read (``worker.replay.reading.chain``)."""
    results_sha256: str
    events_read: int
    results_read: int
    results_end: int
    """Place behind the last published result that was looked at."""
    first_ms: int | None
    """Timestamps of the first and last event of the window, in milliseconds; None where it has none."""
    last_ms: int | None
