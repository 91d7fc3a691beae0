"""``mms-worker run`` that goes no further than to a stage of its start, until it is told to stop."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any, NoReturn

from worker.commands.run import run
from worker.stream import app, core
from worker.stream.core import Core
from worker.stream.engine import Engine


def halt(*_: Any) -> NoReturn:
    """Stand still, whatever a signal's handler does but end the process."""
    say(f"halfway, {signal.getsignal(signal.SIGINT)!r}")
    while True:
        signal.pause()


def halt_in_a_finalizer(*_: Any) -> NoReturn:
    """Stand still where Python lets no exception out."""

    class Last:
        def __del__(self) -> None:
            say("halfway")
            signal.pause()

    Last()
    halt()


def load_until_told_to_stop() -> None:
    """Let the reference data come when the worker is told to stop, and not before."""
    load, stop, told = core.load_core, Engine.stop, threading.Event()

    def loading(settings: Any) -> Core:
        say("halfway")
        told.wait()
        return load(settings)

    async def stopping(engine: Engine) -> None:
        told.set()
        await stop(engine)

    core.load_core = loading
    Engine.stop = stopping  # type: ignore[assignment, method-assign]


def say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    match sys.argv[1]:
        case "before-anything":
            app.run_worker = halt  # type: ignore[assignment]
        case "in-a-finalizer":
            app.run_worker = halt_in_a_finalizer  # type: ignore[assignment]
        case "ignoring-SIGINT":
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            app.run_worker = halt  # type: ignore[assignment]
        case "loading":
            load_until_told_to_stop()
    run()
