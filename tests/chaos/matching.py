"""Two sequences laid beside each other: what is there that must be there, and what of it stands elsewhere."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Hashable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T", bound=Hashable)


class Match(NamedTuple):
    """How a sequence that was found differs from the expected one; places count from 0 in either.

    Each place of the expected is in one of: matched, ``missing``, ``different``. Each place of the found is
    in one of: matched, ``again``, ``foreign``, ``different``.
    """

    matched: list[tuple[int, int]]
    """Places (expected, found) of what is the same, in the order in which it was found."""
    again: list[int]
    """Found places of what had been found as often as it is expected before."""
    missing: list[int]
    """Expected places of what was not found."""
    foreign: list[int]
    """Found places of what is not expected anywhere."""
    different: list[tuple[int, int]]
    """Places (expected, found) of what stands where another was expected that was not found."""

    @property
    def moved(self) -> list[int]:
        """Found places of the fewest records that would have to be moved to bring all into their order."""
        return out_of_order(self.matched)


def match(expected: Sequence[T], found: Sequence[T]) -> Match:
    """Lay ``found`` beside ``expected``.

    Equal ones belong together, the first to the first. What is left over on both sides between the same two
    neighbours is the same record with other bytes, and no loss beside a stranger.
    """
    wanted: defaultdict[T, deque[int]] = defaultdict(deque)
    for place, one in enumerate(expected):
        wanted[one].append(place)
    result = Match([], [], [], [], [])
    strangers: defaultdict[int, deque[int]] = defaultdict(deque)
    before = -1
    for place, one in enumerate(found):
        if wanted.get(one):
            before = wanted[one].popleft()
            result.matched.append((before, place))
        elif one in wanted:
            result.again.append(place)
        else:
            strangers[before].append(place)
    _pair(len(expected), strangers, result)
    return result


def _pair(length: int, strangers: dict[int, deque[int]], result: Match) -> None:
    """Give each expected place that is left the stranger behind the same neighbour, if there is one."""
    there = {place for place, _ in result.matched}
    before = -1
    for place in range(length):
        if place in there:
            before = place
        elif strangers.get(before):
            result.different.append((place, strangers[before].popleft()))
        else:
            result.missing.append(place)
    result.foreign.extend(sorted(place for left in strangers.values() for place in left))


def out_of_order(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Second members of the fewest pairs without which the first members only rise.

    What is left is the longest rising subsequence: found by the least end that one of each length can have.
    """
    ends: list[int] = []
    places: list[int] = []
    behind: list[int] = []
    for at, (value, _) in enumerate(pairs):
        length = bisect_left(ends, value)
        behind.append(places[length - 1] if length else -1)
        ends[length : length + 1] = [value]
        places[length : length + 1] = [at]
    kept: set[int] = set()
    at = places[-1] if places else -1
    while at >= 0:
        kept.add(at)
        at = behind[at]
    return [found for at, (_, found) in enumerate(pairs) if at not in kept]
