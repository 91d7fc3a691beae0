"""What has found no counterpart when the window's last event is decided: what it is, told in the end."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from worker.adjudication.redacted import redacted
from worker.replay.matching.matcher import names_of_expected, published_of
from worker.replay.matching.waiting import hashed
from worker.replay.reading.identity import identity_of, named_by
from worker.replay.reading.recorded import recorded
from worker.replay.telling.causes import NO_EVENT, NO_RESULT, NOT_GIVEN, NOT_ITS_ID, OTHER_MEMBER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence, Set

    from worker.replay.matching.matcher import Matched, Matcher, PublishedStream
    from worker.replay.matching.waiting import Expected, Published, Waiting
    from worker.replay.reading.evidence import Evidence, Record, Shard
    from worker.replay.reading.identity import Identity
    from worker.replay.reading.recorded import Recorded
    from worker.replay.telling.causes import Told

CHUNK = 1000
"""Results behind the window that are looked at together."""
MISSING_CHUNK = 50_000
"""Missing results that are told together: for each chunk of them other shards are searched once."""


class Place(NamedTuple):
    """Where an event is, and when it was."""

    offset: int
    timestamp: int


@redacted
class Leftover(NamedTuple):
    """A published result of the window that has no counterpart."""

    published: Published
    said: Recorded | None
    told: Told
    event: Place | None


async def match_rest(
    evidence: Evidence, shard: Shard, stream: PublishedStream, matcher: Matcher
) -> AsyncIterator[Matched]:
    """Match the results that come behind those of the window's last event, as far as they belong to it.

    In a partition whatever comes behind the first result of a later event belongs to later events too. Of
    files every result is taken.
    """
    is_whole = shard.window.end >= shard.tail_end or not shard.is_ordered
    while chunk := await _chunk(stream):
        later: Set[Identity] = set() if is_whole else await _later(evidence, shard, causes_of(chunk))
        for one in chunk:
            said = recorded(one.value)
            if said is not None and said.is_own and named_by(said) in later:
                return
            yield matcher.match_late(one)


async def _chunk(stream: PublishedStream) -> list[Published]:
    chunk: list[Published] = []
    while len(chunk) < CHUNK and await stream.head() is not None:
        chunk.append(published_of(stream.take(), counts=True))
    stream.settle()
    return chunk


async def _later(evidence: Evidence, shard: Shard, causes: set[Identity]) -> Set[Identity]:
    """Which of some events are behind the window only: one may be in it, and behind it once more."""
    later = await locate(evidence, shard, causes, shard.window.end, shard.tail_end)
    within = await locate(evidence, shard, set(later), shard.window.begin, shard.window.end)
    return later.keys() - within.keys()


async def missing(
    evidence: Evidence, shard: Shard, waiting: Waiting
) -> AsyncIterator[tuple[Expected, Sequence[Record]]]:
    """What replaying the window gave and nobody published, in the order of its events, each with its event.

    A result that is found in another shard was changed in the member that it names, and is told there.
    """
    rest = (one for one in waiting.rest_expected() if one.counts)
    while chunk := list(islice(rest, MISSING_CHUNK)):
        chunk = await _not_elsewhere(evidence, shard, chunk)
        by_place: dict[int, list[Expected]] = {}
        for one in chunk:
            by_place.setdefault(one.place, []).append(one)
        if not by_place:
            continue
        async for records in evidence.events(shard, min(by_place), max(by_place) + 1):
            for record in records:
                for one in by_place.get(record.offset, ()):
                    yield one, [record]


async def _not_elsewhere(evidence: Evidence, shard: Shard, expected: Sequence[Expected]) -> list[Expected]:
    whole = evidence.whole()
    if whole is None:
        return list(expected)
    names = {number: tuple(map(hashed, names_of_expected(one))) for number, one in enumerate(expected)}
    asked = {name for each in names.values() for name in each}
    found: set[int] = set()
    async for records in whole.results(replace(shard, number=0), shard.results.begin, shard.results.end):
        for record in records:
            found.update(asked.intersection(map(hashed, published_of(record, counts=False).names)))
    return [one for number, one in enumerate(expected) if found.isdisjoint(names[number])]


async def leftovers(evidence: Evidence, shard: Shard, waiting: Waiting) -> AsyncIterator[Leftover]:
    """What is left of the window's results when all that belongs together is matched."""
    causes, span = causes_of(waiting.published()), (shard.events.begin, shard.tail_end)
    events = await locate(evidence, shard, causes, *span)
    whole = evidence.whole()
    lost = causes - events.keys()
    others = await locate(whole, replace(shard, number=0), lost, *span) if whole is not None else {}
    for published in waiting.rest_published():
        said = recorded(published.value)
        event = None if said is None else events.get(named_by(said))
        other = None if said is None or event is not None else others.get(named_by(said))
        at = event or other
        if published.counts if at is None else shard.has(*at):
            yield Leftover(published, said, _told(said, event) if other is None else OTHER_MEMBER, at)


def _told(said: Recorded | None, event: Place | None) -> Told:
    if said is None:
        return NO_RESULT
    if not said.is_own:
        return NOT_ITS_ID
    return NO_EVENT if event is None else NOT_GIVEN


def causes_of(published: Iterable[Published]) -> set[Identity]:
    """The events that results name."""
    return set(_causes(published))


def _causes(published: Iterable[Published]) -> Iterator[Identity]:
    for one in published:
        said = recorded(one.value)
        if said is not None:
            yield named_by(said)


async def locate(
    evidence: Evidence, shard: Shard, causes: set[Identity], begin: int, end: int
) -> dict[Identity, Place]:
    """Where some events are, as far as they are there.

    One that is there more than once, as a dead letter that was sent again is, is where the window has it.
    """
    found: dict[Identity, Place] = {}
    within: set[Identity] = set()
    if not causes or begin >= end:
        return found
    async for records in evidence.events(shard, begin, end):
        for record in records:
            identity = identity_of(record)
            if identity is not None and identity in causes and identity not in within:
                is_within = shard.has(record.offset, record.timestamp)
                if is_within or identity not in found:
                    found[identity] = Place(record.offset, record.timestamp)
                if is_within:
                    within.add(identity)
        if len(within) == len(causes):
            break
    return found
