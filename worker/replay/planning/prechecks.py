"""What is settled before anything is decided: that the evidence is whole and belongs together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from worker.adjudication.held import NO_EVENTS
from worker.replay.reading.evidence import EvidenceError, Span
from worker.replay.reading.identity import identity_of, named_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.replay.planning.scanning import Scanned
    from worker.replay.reading.evidence import Evidence, Shard
    from worker.replay.reading.identity import Identity
    from worker.replay.reading.recorded import Recorded

LOOKED_AT = 20_000
"""Events behind the first one that a result names, among which the others are looked for."""
LEAST = 10
"""Results that name events which are not there, from which on it is no single one that somebody has added."""

FROM_THE_BEGINNING = (
    "replay from the members' first events on, from archives if topics do not go back that far"
)


APART = (
    "results and events do not belong together, or the events begin much later: of the first {} results none "
    "names an event that is there; give the events that they were decided from"
)


class Beginning(NamedTuple):
    """How the first results of a shard stand to its events."""

    found: int
    """How many name an event that is there."""
    lost: int
    """How many come before the first of those."""
    place: int | None
    """Place of the event that the first of those names."""
    firsts: int
    """How many are about the first event of a member that is there."""
    with_past: int
    """How many of these say that other events had come before."""


async def check_evidence(evidence: Evidence, shards: Sequence[Shard], scanned: Sequence[Scanned]) -> None:
    """Raise EvidenceError where results and events do not belong together, or either begins too late."""
    _check_results(scanned)
    found = 0
    for shard, one in zip(shards, scanned, strict=True):
        _check_results_are_there(shard)
        if one.first:
            begins = await _beginning(evidence, shard, one.first)
            _check_beginning(shard, begins)
            found += begins.found
    if any(one.first for one in scanned) and not found:
        raise EvidenceError(APART.format(max(len(one.first) for one in scanned)))


def check_events(shards: Sequence[Shard]) -> None:
    """Raise EvidenceError where there is no event at all: of nothing everything is reproduced."""
    if all(shard.events.begin >= shard.tail_end for shard in shards):
        raise EvidenceError(
            "there is no event to replay: look whether topic, brokers and files are the right ones"
        )


def _check_results(scanned: Sequence[Scanned]) -> None:
    total, own = sum(one.total for one in scanned), sum(sum(one.named.values()) for one in scanned)
    if total >= LEAST and not own:
        raise EvidenceError(
            f"results and events do not belong together: of {total:,} results none can be read as one; look "
            "whether --events and --results are swapped"
        )


async def decided_parts(
    evidence: Evidence, shards: Sequence[Shard], scanned: Sequence[Scanned]
) -> list[Shard]:
    """The shards up to where events are decided: what the group has committed, or results that lie behind.

    Results tell it where a group has no offsets any more, or others: they and the offset were one
    transaction. Raises EvidenceError where nothing of the window is decided.
    """
    parts = []
    for shard, one in zip(shards, scanned, strict=True):
        end = await _told_end(evidence, shard, [named_by(said) for said in one.last])
        window = Span(min(shard.window.begin, end), min(shard.window.end, end))
        parts.append(replace(shard, events=Span(shard.events.begin, end), window=window))
    if all(part.window.begin >= part.window.end for part in parts):
        raise EvidenceError(
            "no event of the window is decided: look whether the group (MMS_APP_ID) and the results topic "
            "(MMS_RESULTS_TOPIC) are those of the worker"
        )
    return parts


async def _told_end(evidence: Evidence, shard: Shard, named: Sequence[Identity]) -> int:
    """Behind the last event that is decided, by the events that the last results name, in their order.

    An event can be there more than once, as one that was sent again is. Results are in the order of their
    events: so a copy that is behind and not decided yet is not taken for what a result names.
    """
    reached = end = shard.events.end
    ahead = await _all_places(evidence, shard, set(named), reached, shard.tail_end)
    if not ahead:
        return end
    places = await _all_places(evidence, shard, set(ahead), shard.events.begin, reached)
    reached = shard.events.begin
    for event in named:
        there = places.get(event, []) + ahead.get(event, [])
        place = next((place for place in there if place >= reached), None)
        if place is not None:
            reached, end = place, max(end, place + 1)
    return end


async def _all_places(
    evidence: Evidence, shard: Shard, wanted: set[Identity], begin: int, end: int
) -> dict[Identity, list[int]]:
    """All places of some events, as far as they are there."""
    found: dict[Identity, list[int]] = {}
    if not wanted or begin >= end:
        return found
    async for records in evidence.events(shard, begin, end):
        for record in records:
            identity = identity_of(record)
            if identity is not None and identity in wanted:
                found.setdefault(identity, []).append(record.offset)
    return found


def _check_results_are_there(shard: Shard) -> None:
    if 0 < shard.results.begin == shard.results.end and shard.window.begin < shard.window.end:
        raise EvidenceError(
            f"partition {shard.number}: its results are gone, the topic begins at offset "
            f"{shard.results.begin} and has nothing; replay archived files instead"
        )


def _check_beginning(shard: Shard, begins: Beginning) -> None:
    where = f"partition {shard.number}"
    if begins.place is None and begins.lost >= LEAST:
        raise EvidenceError(f"{where}: {APART.format(begins.lost)}")
    if begins.lost >= LEAST:
        raise EvidenceError(
            f"{where}: events are missing at the beginning: the first {begins.lost} results name events that "
            f"are not there; {FROM_THE_BEGINNING}"
        )
    if begins.with_past * 2 > begins.firsts:
        raise EvidenceError(
            f"{where}: events are missing at the beginning: of {begins.firsts} results for the first event "
            f"of a member {begins.with_past} say that others came before; {FROM_THE_BEGINNING}"
        )
    if shard.results.begin > 0 and begins.place is not None and begins.place >= shard.window.begin:
        raise EvidenceError(
            f"{where}: results are missing at the beginning: the topic begins with one of the event at "
            f"offset {begins.place}, and the window with the event at {shard.window.begin}; begin the window "
            f"behind it (--from {shard.number}:{begins.place + 1}) or replay archived files"
        )


async def _beginning(evidence: Evidence, shard: Shard, first: Sequence[Recorded]) -> Beginning:
    """Look for the events that the first results name."""
    wanted = set(map(named_by, first))
    places: dict[Identity, int] = {}
    begun: set[Identity] = set()
    members: set[bytes | None] = set()
    looked_at = 0
    async for records in evidence.events(shard, shard.events.begin, shard.tail_end):
        for record in records:
            identity = identity_of(record)
            if identity is not None and identity in wanted and identity not in places:
                places[identity] = record.offset
                if record.key not in members:
                    begun.add(identity)
            members.add(record.key)
        looked_at += len(records) if places else 0
        if len(places) == len(wanted) or looked_at > LOOKED_AT:
            break
    return _summed(first, places, begun)


def _summed(first: Sequence[Recorded], places: dict[Identity, int], begun: set[Identity]) -> Beginning:
    named = [(named_by(said), said) for said in first]
    there = [places.get(identity) for identity, _ in named]
    lost = next((number for number, place in enumerate(there) if place is not None), len(there))
    firsts = [said for identity, said in named if identity in begun]
    return Beginning(
        sum(place is not None for place in there),
        lost,
        None if lost == len(there) else there[lost],
        len(firsts),
        sum(said.basis.history_digest != NO_EVENTS for said in firsts),
    )
