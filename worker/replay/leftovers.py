"""Published results that no event of the replay has brought about: what they are, told in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from worker.replay.causes import NO_EVENT, NO_RESULT, NOT_GIVEN, NOT_ITS_ID, OTHER_MEMBER
from worker.replay.matching import published_of
from worker.replay.recorded import names_of, recorded
from worker.replay.redeciding import identity_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from worker.replay.causes import Told
    from worker.replay.evidence import Evidence, Record, Shard
    from worker.replay.matching import Match, Matched, Matcher, PublishedStream
    from worker.replay.recorded import Recorded
    from worker.replay.waiting import Published, Waiting

CHUNK = 1000
"""Results behind the window that are looked at together."""

Identity = tuple[str, str]
"""Source and id of an event."""


class Leftover(NamedTuple):
    """A published result of the window that has no counterpart."""

    published: Published
    said: Recorded | None
    told: Told
    event: Record | None


async def match_rest(
    evidence: Evidence, shard: Shard, stream: PublishedStream, matcher: Matcher
) -> AsyncIterator[Matched]:
    """Match the results that come behind those of the window's last event, as far as they belong to it.

    In a partition whatever comes behind the first result of a later event belongs to later events too. Of
    files every result is taken.
    """
    is_whole = shard.window.end >= shard.tail_end or not shard.is_ordered
    while chunk := await _chunk(stream):
        named = set() if is_whole else causes_of(chunk)
        later = await locate(evidence, shard, named, shard.window.end, shard.tail_end)
        for one in chunk:
            said = recorded(one.value)
            if said is not None and said.is_own and _identity(said) in later:
                return
            yield matcher.match_late(one)


async def _chunk(stream: PublishedStream) -> list[Published]:
    chunk: list[Published] = []
    while len(chunk) < CHUNK and await stream.head() is not None:
        chunk.append(published_of(stream.take(), counts=True))
    stream.settle()
    return chunk


async def elsewhere(evidence: Evidence, shard: Shard, missing: Sequence[Match]) -> list[Match]:
    """What of the missing is missing in other shards too.

    A result that is found in another one was changed in the member that it names, and is told there.
    """
    whole = evidence.whole()
    if whole is None or not missing:
        return list(missing)
    names = {name for one in missing for name in _names(one)}
    found: set[str] = set()
    async for records in whole.results(replace(shard, number=0), shard.results.begin, shard.results.end):
        for record in records:
            found.update(names.intersection(published_of(record, counts=False).names))
    return [one for one in missing if found.isdisjoint(_names(one))]


def _names(match: Match) -> tuple[str, ...]:
    one = match.expected
    return () if one is None else tuple(names_of(one.value, recorded(one.value), {}))


async def with_events(
    evidence: Evidence, shard: Shard, missing: Sequence[Match]
) -> AsyncIterator[tuple[Match, Sequence[Record]]]:
    """What is missing in the order of its events, each with its event."""
    by_place: dict[int, list[Match]] = {}
    for match in missing:
        if match.expected is not None:
            by_place.setdefault(match.expected.place, []).append(match)
    if not by_place:
        return
    async for records in evidence.events(shard, min(by_place), max(by_place) + 1):
        for record in records:
            for match in by_place.get(record.offset, ()):
                yield match, [record]


async def leftovers(evidence: Evidence, shard: Shard, waiting: Waiting) -> AsyncIterator[Leftover]:
    """What is left of the window's results when all that belongs together is matched."""
    span = shard.events.begin, shard.tail_end
    causes = causes_of(waiting.published())
    events = await locate(evidence, shard, causes, *span)
    whole = evidence.whole()
    lost = causes - events.keys()
    others = await locate(whole, replace(shard, number=0), lost, *span) if whole is not None else {}
    for published in waiting.rest_published():
        said = recorded(published.value)
        event = None if said is None else events.get(_identity(said))
        other = None if said is None else others.get(_identity(said))
        if published.counts if event is None else shard.has(event.offset, event.timestamp):
            told = _told(said, event) if other is None else OTHER_MEMBER
            yield Leftover(published, said, told, event or other)


def _told(said: Recorded | None, event: Record | None) -> Told:
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
            yield _identity(said)


def _identity(said: Recorded) -> Identity:
    return said.cause.source, said.cause.id


async def locate(
    evidence: Evidence, shard: Shard, causes: set[Identity], begin: int, end: int
) -> dict[Identity, Record]:
    """The events among some that are there: the first of each source and id, which is the one decided."""
    found: dict[Identity, Record] = {}
    if not causes or begin >= end:
        return found
    async for records in evidence.events(shard, begin, end):
        for record in records:
            identity = identity_of(record)
            if identity is not None and identity in causes:
                found.setdefault(identity, record)
        if len(found) == len(causes):
            break
    return found
