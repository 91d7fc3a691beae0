"""``mms-worker run`` that stands still once everything is loaded and nothing has begun."""

from __future__ import annotations

import signal
import sys
from typing import Any

import worker.stream.app
from worker.commands.run import run


def halt(*_: Any) -> None:
    sys.stdout.write("loaded")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    worker.stream.app.run_worker = halt  # type: ignore[assignment]
    run()
