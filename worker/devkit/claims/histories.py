"""The stream of many members' stories, mingled as a platform would see them.

Each story begins one step of time after the one before, and its events arrive over several steps: a heap
holds those that are still to come. So a longer stream begins with the shorter one, and memory is bounded by
the members that can come again.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count

from worker.devkit.claims import Event
from worker.devkit.claims import history_mix as histories
from worker.devkit.claims import mix as mixes
from worker.devkit.claims.draw import Draw
from worker.devkit.claims.history_mix import HistoryMix
from worker.devkit.claims.mix import Mix
from worker.devkit.claims.story import Story
from worker.devkit.claims.strays import stray
from worker.devkit.claims.visit import DAYS, PRACTICES, Member

STORY_STEPS = 20.0
"""Steps of time over which the claims of a story arrive; what follows from them may take some times that."""
REMEMBERED_MEMBERS = 50_000
"""Members who can come again when their number is not bounded."""
LAST_VISIT = len(DAYS) - 240
"""Days of service end early enough that all that follows has a date."""
OPEN_DAYS = 300
"""Days over which a member's unfinished stories spread at most: within any sensible look-back."""
CLOSE_DAYS = 60
"""A visit that may not move on in time lies within so many days before the last one."""
STRAYS_SEED = 104_729
"""Added to a seed for the strays, which leave the rest of the stream as it is."""


class Visitor(Member):
    """A member, with the unfinished stories: the first day of service among them, and when they end."""

    open_day: int
    open_until: float


class Visitors:
    """Who comes next: a new member, one seen before, or one of the few who come again and again."""

    def __init__(self, seed: int, members: int | None, ways: HistoryMix, mix: Mix, draw: Draw) -> None:
        self._seed = seed
        self._most = members
        self._ways = ways
        self._mix = mix
        self._draw = draw
        self._known: list[Visitor] = []
        self._count = 0

    def next(self, now: float) -> tuple[Visitor, int]:
        """The visitor and the day of service, which counts as ``DAYS`` does."""
        may_be_new = self._most is None or self._count < self._most
        if not self._known or (may_be_new and self._draw.chance(self._ways.new_member_chance)):
            return self._new()
        return self._known_one(now)

    def _new(self) -> tuple[Visitor, int]:
        draw = self._draw
        day = draw.below(LAST_VISIT)
        visitor = Visitor(
            id=f"MBR-h{self._seed}-{self._count + 1:07d}",
            payer=draw.pick(self._mix.payers),
            practice=draw.below(PRACTICES),
            immunosuppressed=draw.chance(self._mix.assumed.truth.immunosuppressed),
            last_day=day,
            open_day=day,
            open_until=0.0,
        )
        if len(self._known) < (self._most or REMEMBERED_MEMBERS):
            self._known.append(visitor)
        else:
            self._known[self._count % REMEMBERED_MEMBERS] = visitor
        self._count += 1
        return visitor, day

    def _known_one(self, now: float) -> tuple[Visitor, int]:
        draw, ways = self._draw, self._ways
        share = ways.regular_share if draw.chance(ways.regular_chance) else 1.0
        visitor = self._known[int(draw.random() * share * len(self._known))]
        day = visitor.last_day + 7 + draw.below(200)
        is_open = visitor.open_until > now
        if day >= LAST_VISIT or (is_open and day - visitor.open_day > OPEN_DAYS):
            day = max(0, visitor.last_day - draw.below(CLOSE_DAYS))
        visitor.last_day = max(day, visitor.last_day)
        visitor.open_day = min(day, visitor.open_day) if is_open else day
        return visitor, day


def stream(seed: int, members: int | None, *, strays: bool) -> Iterator[Event]:
    """The endless stream of a seed, of at most ``members`` members."""
    ways, mix, draw = histories.load(), mixes.load(), Draw(seed)
    astray = Draw(seed + STRAYS_SEED)
    visitors = Visitors(seed, members, ways, mix, draw)
    coming: list[tuple[float, int, Event]] = []
    order = count()  # of two events at one moment the one that came to be first
    for step in count(1):
        now = float(step)
        while coming and coming[0][0] <= now:
            yield heappop(coming)[2]
        visitor, day = visitors.next(now)
        story = Story(f"h{seed}-{step:07d}", ways, mix, draw)
        story.unfold(visitor, day)
        end = max(happening.at for happening in story.happenings)
        if strays and astray.chance(ways.stray_chance):
            events = [happening.event for happening in story.happenings]
            late = stray(story.name, events, astray).event
            heappush(coming, (now + (end + 1) * STORY_STEPS, next(order), late))
        for happening in story.happenings:
            heappush(coming, (now + happening.at * STORY_STEPS, next(order), happening.event))
        visitor.open_until = max(visitor.open_until, now + (end + 1) * STORY_STEPS)
