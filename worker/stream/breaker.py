"""When to stop instead of going on: a bug that comes again, or too large a share of dead letters."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from worker.stream.errors import BreakerOpen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from worker.settings import Settings

BUG_WINDOW_S = 60.0
BUG_LIMIT = 2
"""Claims on which the pure code raises within ``BUG_WINDOW_S``: one may be an oddity, two are not."""


class Breaker:
    """Counts over all lanes of the process. ``now`` is a clock in seconds that never goes back."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = settings.dead_letter_limit
        self._window = settings.dead_letter_window_s
        self._least = settings.dead_letter_least_records
        self._now = now
        self._bugs: dict[tuple[int, int], float] = {}
        self._committed: deque[tuple[float, int, int]] = deque()
        self._records = 0
        self._dead = 0

    def check(self, records: int, dead: int, bugs: Iterable[tuple[int, int]]) -> None:
        """Raise BreakerOpen if a batch must not be committed.

        ``dead`` of its ``records`` are dead letters; ``bugs`` are the (partition, offset) of claims on which
        the pure code raised, so that a batch which is decided twice does not count twice.
        """
        now = self._now()
        self._bugs = {at: seen for at, seen in self._bugs.items() if now - seen < BUG_WINDOW_S}
        self._bugs.update((at, self._bugs.get(at, now)) for at in bugs)
        if len(self._bugs) >= BUG_LIMIT:
            where = ", ".join(f"partition {partition} offset {offset}" for partition, offset in self._bugs)
            raise BreakerOpen(
                f"{len(self._bugs)} claims within a minute made the adjudication raise: {where}"
            )
        self._forget(now)
        records, dead = self._records + records, self._dead + dead
        if records >= self._least and dead / records > self._limit:
            raise BreakerOpen(
                f"{dead} of the last {records} records are dead letters, above the share of {self._limit:g} "
                f"that MMS_DEAD_LETTER_LIMIT allows"
            )

    @property
    def share(self) -> float:
        """Share of dead letters among the records that were committed within the window."""
        self._forget(self._now())
        return self._dead / self._records if self._records else 0.0

    def committed(self, records: int, dead: int) -> None:
        """Note a committed batch."""
        self._committed.append((self._now(), records, dead))
        self._records += records
        self._dead += dead

    def _forget(self, now: float) -> None:
        while self._committed and now - self._committed[0][0] >= self._window:
            _, records, dead = self._committed.popleft()
            self._records -= records
            self._dead -= dead
