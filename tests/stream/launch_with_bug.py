"""Runs a worker whose adjudication raises for the claims that its arguments name, and quotes them."""

from __future__ import annotations

import sys

from worker.adjudication import Adjudicated, Rejected
from worker.adjudication.claim import Event
from worker.settings import Settings, load_settings
from worker.stream.app import run_worker
from worker.stream.core import Core, load_core
from worker.stream.logs import configure_logs

BROKEN = frozenset(sys.argv[1:])


def load(settings: Settings) -> Core:
    core = load_core(settings)

    def adjudicate(event: Event, history: bytes | None) -> Adjudicated | Rejected:
        if event.data.claim_id in BROKEN:
            raise ZeroDivisionError(f"claim {event.data.claim_id} of {event.data.member_id}")
        return core.adjudicate(event, history)

    return core._replace(adjudicate=adjudicate)


if __name__ == "__main__":
    settings = load_settings()
    configure_logs(settings)
    run_worker(settings, load)
