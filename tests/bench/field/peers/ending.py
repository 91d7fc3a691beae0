"""How a contestant with a loop of its own learns that it shall end."""

from __future__ import annotations

import signal


class Ending:
    """True from SIGTERM on."""

    def __init__(self) -> None:
        self._is_asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def __bool__(self) -> bool:
        return self._is_asked

    def _ask(self, *_: object) -> None:
        self._is_asked = True
