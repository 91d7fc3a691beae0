"""What all shards together came to: the summary, and the claims that are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal

import msgspec

from worker.adjudication import ENGINE
from worker.replay.output.summary import SourceSummary, Summary, Window
from worker.replay.output.withholding import withheld
from worker.replay.reading.archives import FileFacts
from worker.replay.reading.evidence import Span
from worker.replay.telling.outcome import SHOWN_CLAIMS, Counts

if TYPE_CHECKING:
    from worker.replay.planning.plan import Plan, TopicRead
    from worker.replay.telling.differences import Example
    from worker.replay.telling.outcome import ShardOutcome


def summed(plan: Plan, outcomes: Sequence[ShardOutcome]) -> Summary:
    """The whole of ``summary.json``."""
    counts, by_partition = Counts(), {str(one.shard.number): one.counts for one in outcomes}
    for outcome in outcomes:
        counts.add(outcome.counts)
    if not plan.with_phi:
        counts, by_partition = withheld(counts, by_partition)
    return Summary(
        kind=plan.kind,
        verdict=_verdict(plan, counts),
        engine=ENGINE,
        window=Window(
            plan.asked_from,
            plan.asked_to,
            _time(min((one.first_ms for one in outcomes if one.first_ms is not None), default=None)),
            _time(max((one.last_ms for one in outcomes if one.last_ms is not None), default=None)),
        ),
        recorded=tuple(basis.summary() for basis in plan.recorded),
        compared=None if plan.other is None else plan.other.summary(),
        look_back_days=plan.limits.look_back_days,
        max_bytes=plan.limits.max_bytes,
        max_day_lines=plan.limits.max_day_lines,
        with_phi=plan.with_phi,
        shards=plan.shards,
        sources=tuple(_sources(plan.inputs, outcomes)),
        counts=counts,
        by_partition=by_partition,
    )


def encoded(summary: Summary) -> bytes:
    """The bytes of ``summary.json``: indented, fields in their order, counts by name, a newline last."""
    return msgspec.json.format(msgspec.json.encode(summary, order="deterministic"), indent=2) + b"\n"


def shown(outcomes: Iterable[ShardOutcome]) -> tuple[Example, ...]:
    """The first differing claims over all shards."""
    return tuple(islice(chain.from_iterable(outcome.examples for outcome in outcomes), SHOWN_CLAIMS))


def _verdict(plan: Plan, counts: Counts) -> Literal["reproduced", "differs"]:
    """Reproduced only if nothing differs, and if that is not because something was left out."""
    if counts.results_differing or (plan.kind == "replay" and not add_up(counts)):
        return "differs"
    return "reproduced"


def add_up(counts: Counts) -> bool:
    """Whether as many results were published and decided as reproduced: if none differs, it is so."""
    return counts.reproduced == counts.results_published == counts.results_decided


def _sources(
    inputs: Iterable[FileFacts | TopicRead], outcomes: Sequence[ShardOutcome]
) -> Iterable[SourceSummary]:
    for one in inputs:
        if isinstance(one, FileFacts):
            lines = one.lines
            yield SourceSummary(one.role, one.name, None, lines.begin, lines.end, one.records, one.sha256)
        else:
            yield from (_partition(one.role, one.name, outcome) for outcome in outcomes)


def _partition(role: Literal["events", "results"], topic: str, outcome: ShardOutcome) -> SourceSummary:
    shard = outcome.shard
    replayed = Span(shard.events.begin, min(shard.events.end, shard.window.end))
    looked_at = Span(shard.results.begin, outcome.results_end)
    span = replayed if role == "events" else looked_at
    records = outcome.events_read if role == "events" else outcome.results_read
    sha256 = outcome.events_sha256 if role == "events" else outcome.results_sha256
    return SourceSummary(role, topic, shard.number, span.begin, span.end, records, sha256)


def _time(ms: int | None) -> str | None:
    """ISO 8601 in UTC to the second; a timestamp that no calendar has is told as it is."""
    if ms is None:
        return None
    try:
        return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"
