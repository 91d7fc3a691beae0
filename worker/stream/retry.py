"""How long to wait before trying again, and when to give up."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.settings import Settings


class Backoff:
    """Exponential, with jitter, from ``MMS_RETRY_FIRST_S`` to ``MMS_RETRY_LONGEST_S``.

    With ``forever`` it never gives up; ``now`` is a clock in seconds that never goes back.
    """

    def __init__(
        self, settings: Settings, *, forever: bool = False, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._forever = forever
        self._now = now
        self._failing_since: float | None = None
        self._at_work_since: float | None = None
        self._failures = 0

    def succeeded(self) -> None:
        """Something worked: the next failure is a first one."""
        self._failing_since = None
        self._failures = 0

    def at_work(self) -> None:
        """Work can be done again, though maybe there is none to succeed with.

        To have been at work for longer than the patience without a failure counts as a success. The time on
        the way there does not: with much to restore it alone is longer than the patience, try after try.
        """
        self._at_work_since = self._now()

    def failed(self) -> float | None:
        """Seconds to wait before the next try, or None to give up: failing for longer than the patience."""
        now = self._now()
        if self._at_work_since is not None and now - self._at_work_since > self._settings.patience_s:
            self.succeeded()
        self._at_work_since = None
        if self._failing_since is None:
            self._failing_since = now
        if not self._forever and now - self._failing_since > self._settings.patience_s:
            return None
        longest = min(self._settings.retry_first_s * 2.0**self._failures, self._settings.retry_longest_s)
        self._failures = min(self._failures + 1, 30)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  spreads retries, guards nothing
