"""Whether all is well: what of a stream's standing needs a look, the gravest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.stream.status.group import DEAD, EMPTY, STABLE
from worker.stream.status.standing import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.stream.status.standing import Digest, Lane, OpenTransaction

HEALTHY = "healthy"
SHOWN = 6
"""Partitions that a line names before it only counts them."""


def findings(
    state: str,
    lanes: Sequence[Lane],
    open_transactions: Sequence[OpenTransaction],
    digests: Sequence[Digest],
    most_lag_s: float,
) -> Iterator[Finding]:
    """What needs a look. ``most_lag_s`` is the age above which an undecided record does."""
    yield from _group(state, lanes)
    outside = [
        lane.partition
        for lane in lanes
        if lane.committed_offset is not None
        and not lane.first_offset <= lane.committed_offset <= lane.end_offset
    ]
    if outside:
        yield Finding("offset_gone", f"the committed offset lies outside the log of {numbers(outside)}")
    hanging = [one for one in open_transactions if one.hangs]
    if hanging:
        first = max(hanging, key=lambda one: one.seconds or 0.0)
        more = f", and {len(hanging) - 1} more" if len(hanging) > 1 else ""
        yield Finding(
            "hanging_transaction",
            f"a transaction hangs on partition {first.partition} of {first.topic}{more}: "
            "nobody can read what is behind it",
        )
    live = [one for one in digests if one.live]
    if len(live) > 1:
        yield Finding("digest_skew", f"digest skew: partitions are decided by {len(live)} different digests")
    late = [lane for lane in lanes if (lane.lag_seconds or 0.0) > most_lag_s]
    if late:
        records = sum(lane.lag_records for lane in late)
        yield Finding("lagging", f"lagging: {records:,} records behind on {numbers(_of(late))}")


def _group(state: str, lanes: Sequence[Lane]) -> Iterator[Finding]:
    if state == DEAD:
        yield Finding("no_group", "no such group: no worker was ever here, or MMS_APP_ID is another")
    elif state == EMPTY:
        yield Finding("no_members", "no members: no worker is running")
    elif state != STABLE:
        yield Finding("rebalancing", "rebalancing: the partitions are being given out")
    elif unowned := [lane.partition for lane in lanes if lane.owner is None]:
        yield Finding("unowned", f"no worker holds {numbers(unowned)}")


def counts_differ(counts: Mapping[str, int]) -> Iterator[Finding]:
    """The topics' numbers of partitions, if they are not all the same: no worker starts then."""
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{topic} has {count}" for topic, count in counts.items())
        yield Finding("partitions_differ", f"the topics' numbers of partitions differ: {told}")


def _of(lanes: Sequence[Lane]) -> list[int]:
    return [lane.partition for lane in lanes]


def numbers(partitions: Sequence[int]) -> str:
    """``partition 3``, ``partitions 0-2, 7``, or how many there are of those with too many parts."""
    parts = ranges(partitions)
    if len(partitions) == 1:
        return f"partition {parts[0]}"
    if len(parts) > SHOWN:
        return f"{len(partitions):,} partitions"
    return f"partitions {', '.join(parts)}"


def ranges(partitions: Sequence[int]) -> list[str]:
    """Runs of numbers that follow each other, each as ``0-5`` or ``7``."""
    runs: list[list[int]] = []
    for number in sorted(partitions):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return [str(first) if first == last else f"{first}-{last}" for first, last in runs]
