"""``mms-worker run``: the stream worker."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

from cyclopts import Parameter

if TYPE_CHECKING:
    from types import FrameType


def run(
    *,
    accept_gap: Annotated[
        bool, Parameter(negative="", help="Go on where input is missing or the committed offset was lost.")
    ] = False,
) -> None:
    """Adjudicate claim events from Kafka, exactly once, until stopped (SIGTERM or Ctrl-C).

    Settings are environment variables that begin with MMS_. Exit code 0 after a signal; 2 when settings,
    topics, offsets or reference data do not allow to start or go on; 3 when the breaker has stopped it, since
    too much would become dead letters; 1 after a crash. Nothing half-done is committed by any of them.
    """
    for early in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(early) is not signal.SIG_IGN:  # whoever started this process may want it ignored
            signal.signal(early, _end)

    from worker.settings import InvalidSettings, load_settings

    try:
        settings = load_settings(**({"accept_gap": True} if accept_gap else {}))
    except InvalidSettings as error:
        print(f"mms-worker: {error}", file=sys.stderr)
        sys.exit(2)

    from worker.stream.logs import configure_logs

    configure_logs(settings)

    from worker.stream.app import run_worker
    from worker.stream.core import load_core

    run_worker(settings, load_core)


def _end(_: int, __: FrameType | None) -> NoReturn:
    """End before there is anything to finish; Faust takes the signals over once there is.

    The first process of a container has no default for them: without this one it would ignore a SIGTERM
    that comes while it still loads, and be killed in the end.

    It does not raise: a signal may arrive inside a finalizer or a callback of the collector, out of which
    Python lets no exception. So early there is nothing to unwind and nothing to flush.
    """
    os._exit(0)
