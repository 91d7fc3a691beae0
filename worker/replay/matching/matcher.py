"""Finds to each result that replaying gives the one that was published, as both come along in order.

Nearly all are equal and in the same place: then nothing is parsed, one comparison of bytes tells it. Where
they are not, both wait, each under its names, until the other side brings what belongs to it.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

from worker.adjudication.redacted import redacted
from worker.replay.matching.waiting import Expected, Published
from worker.replay.reading.recorded import headers_of, names_of, outcome_of, recorded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from worker.replay.matching.waiting import Waiting
    from worker.replay.reading.chain import Chain
    from worker.replay.reading.evidence import Record


@redacted
class Match(NamedTuple):
    """A result of the replay, and the published one that belongs to it; None where there is none."""

    expected: Expected
    published: Published | None

    @property
    def is_equal(self) -> bool:
        """Whether both sides are there and are the same bytes of the same member."""
        one, other = self
        return other is not None and (one.value, one.key) == (other.value, other.key)


@redacted
class Matched(NamedTuple):
    """What matching has found for results of the window."""

    reproduced: Counter[str]
    """Pairs that are equal, by outcome."""
    others: list[Match]

    def add(self, match: Match) -> None:
        """Take a match in, if it is of the window."""
        if match.expected.counts:
            if match.is_equal:
                self.reproduced[outcome_of(match.expected.value)] += 1
            else:
                self.others.append(match)


class PublishedStream:
    """The published results of a shard in order, each taken once; what is taken is in the chain."""

    def __init__(self, chunks: AsyncIterator[Sequence[Record]], chain: Chain, position: int) -> None:
        """``position`` is where ``chunks`` begin."""
        self._chunks = chunks
        self._chain = chain
        self.ahead: deque[Record] = deque()
        """What has arrived and was not taken yet: the head first."""
        self._taken: list[Record] = []
        self.position = position
        """Behind the last that was taken."""

    async def head(self) -> Record | None:
        """The next one; None at the end."""
        while not self.ahead:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                return None
            self.ahead.extend(chunk)
        return self.ahead[0]

    def take(self) -> Record:
        """Take the head. Raises IndexError where ``head`` was not asked for."""
        record = self.ahead.popleft()
        self._taken.append(record)
        self.position = record.offset + 1
        return record

    def settle(self) -> None:
        """Take what was taken since the last time into the chain."""
        self._chain.take(self._taken)
        self._taken = []


class Matcher:
    """Matches the two sides of a shard.

    Until the two have met, results from before the window are passed over: those that were published for
    them need not be there any more.
    """

    def __init__(self, stream: PublishedStream, waiting: Waiting, *, have_met: bool) -> None:
        self._stream = stream
        self._waiting = waiting
        self.have_met = have_met

    async def match(self, expected: Sequence[Expected]) -> Matched:
        """Match what replaying gives next."""
        matched = Matched(Counter(), [])
        for one in expected:
            # Nearly always it is there, and asking for it without a coroutine is most of what this costs.
            head = self._stream.ahead[0] if self._stream.ahead else await self._stream.head()
            if head is not None and head.value == one.value and head.key == one.key:
                self._stream.take()
                self.have_met = True
                if one.counts:
                    matched.reproduced[outcome_of(one.value)] += 1
            else:
                for match in await self._search(one):
                    matched.add(match)
        self._stream.settle()
        return matched

    def match_late(self, published: Published) -> Matched:
        """Match a published result that comes when replaying gives no more; without a match it waits."""
        matched = Matched(Counter(), [])
        earlier = self._waiting.expected_as(published.names)
        if earlier is None:
            self._waiting.put_published(published)
        else:
            matched.add(Match(earlier, published))
        return matched

    async def _search(self, one: Expected) -> list[Match]:
        """What belongs to one that is not equal to what comes next on the other side."""
        names = names_of_expected(one)
        if not self.have_met and not await self._meet(names, counts=one.counts):
            return []
        found: list[Match] = []
        while True:
            other = self._waiting.published_as(names)
            if other is not None:
                return [*found, Match(one, other)]
            if await self._stream.head() is None:
                self._waiting.put_expected(one, names)
                return found
            published = published_of(self._stream.take(), counts=one.counts)
            earlier = self._waiting.expected_as(published.names)
            if earlier is not None:
                found.append(Match(earlier, published))
                continue
            self._waiting.put_published(published)
            if not set(names).intersection(published.names):
                self._waiting.put_expected(one, names)
                return found

    async def _meet(self, names: Sequence[str], *, counts: bool) -> bool:
        head = await self._stream.head()
        if counts or (head is not None and set(names).intersection(published_of(head, counts=False).names)):
            self.have_met = True
        return self.have_met


def names_of_expected(one: Expected) -> tuple[str, ...]:
    """The names of a result of the replay."""
    return tuple(names_of(one.value, recorded(one.value), {}))


def published_of(record: Record, *, counts: bool) -> Published:
    """A published record with its names."""
    names = tuple(names_of(record.value, recorded(record.value), headers_of(record)))
    return Published(record.offset, record.timestamp, record.key, record.value or b"", names, counts)
