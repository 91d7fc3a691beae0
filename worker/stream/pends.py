"""The oldest pend of a partition, kept as its histories change."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from worker.adjudication.pended import PENDED, oldest_pend

if TYPE_CHECKING:
    from collections.abc import Mapping


PORTION = 5_000
"""Members that are looked at in one go: some 5 ms."""


class Pends:
    """Since when each member waits for an answer. Days are proleptic ordinals of dates of receipt."""

    def __init__(self) -> None:
        self._since: dict[bytes, int] = {}
        self._members: Counter[int] = Counter()
        """How many members have waited since a day: there are few days, so the oldest is quickly found."""

    def note(self, states: Mapping[bytes, bytes]) -> None:
        """Note the histories of members as they are from now on."""
        since, members = self._since, self._members
        for member, state in states.items():
            day = oldest_pend(state) if PENDED in state else None
            before = since.get(member)
            if day == before:
                continue
            if before is not None:
                self._forget(before)
            if day is None:
                del since[member]
            else:
                since[member] = day
                members[day] += 1

    @classmethod
    async def of(cls, states: Mapping[bytes, bytes]) -> Pends:
        """Those of a whole partition; everything else in the process has its turns meanwhile."""
        pends, left = cls(), iter(states.items())
        while portion := dict(islice(left, PORTION)):
            pends.note(portion)
            await asyncio.sleep(0)
        return pends

    @property
    def oldest(self) -> int | None:
        """The day since which the longest-waiting member waits; None if none does."""
        return min(self._members, default=None)

    def _forget(self, day: int) -> None:
        self._members[day] -= 1
        if not self._members[day]:
            del self._members[day]
