"""Runs ``mms-worker`` with a fault that quotes claims, which the environment names.

The processes of a replay read this file too, so they have the fault as well.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import resource
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from worker.adjudication import service
from worker.adjudication.claim import Claim
from worker.cli import main
from worker.stream import restore
from worker.stream.redrive import selection

FAULT = "FAULT"
PR_GET_DUMPABLE = 3


def quoted(claim: Claim) -> str:
    """What a claim holds, as its repr does not tell it."""
    return f"{claim.claim_id} {claim.member_id} {claim.diagnoses} {claim.billing_provider.npi}"


def fail(said: str) -> NoReturn:
    """Raise what quotes it, from what quotes it."""
    cause = KeyError(said)
    cause.add_note(said)
    raise ExceptionGroup(said, [ValueError(said)]) from cause


async def fail_later(said: str) -> None:
    fail(said)


async def forget(said: str) -> None:
    """A task, a future and a callback that nobody awaits."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(fail_later(said))
    loop.create_future().set_exception(KeyError(said))
    loop.call_soon(fail, said)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()


def in_loop(said: str, *, debug: bool = False) -> None:
    """A thread with a loop of its own: one may be running already."""
    thread = threading.Thread(target=lambda: asyncio.run(forget(said), debug=debug))
    thread.start()
    thread.join()


def in_thread(said: str) -> None:
    thread = threading.Thread(target=fail, args=(said,))
    thread.start()
    thread.join()


def in_finalizer(said: str) -> None:
    class Unfinished:
        def __del__(self) -> None:
            fail(said)

    Unfinished()


def in_warning(said: str) -> None:
    warnings.warn(said, stacklevel=2)


def in_log_of_library(said: str) -> None:
    """Nobody listens to it in a command, so Python's last resort prints it."""
    log = logging.getLogger("library")
    log.error("cannot do it: %s", said)
    log.error("cannot do %s with %r", {said: said}, KeyError(said))
    log.error(KeyError(said))
    try:
        fail(said)
    except ExceptionGroup:
        log.exception("failed with %s", said)


def beside(said: str) -> None:
    """Whatever goes wrong beside the work, which goes on; and whether the kernel may dump this process."""
    in_loop(said)
    in_loop(said, debug=True)
    in_thread(said)
    in_finalizer(said)
    in_warning(said)
    in_log_of_library(said)
    dumpable = ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
    sys.stderr.write(f"core {resource.getrlimit(resource.RLIMIT_CORE)} {dumpable}\n")


def in_first_line(fault: Callable[[str], object]) -> None:
    """Have the first line that is decided bring it about."""
    begin = service.Service.__init__
    told: list[str] = []

    def faulty(self: Any, claim: Claim, *rest: Any) -> None:
        if not told:
            told.append(claim.claim_id)
            fault(quoted(claim))
        begin(self, claim, *rest)

    service.Service.__init__ = faulty


def in_first_record() -> None:
    """Have the first dead letter, and the first history, that is read from Kafka bring it about."""

    def faulty(*given: Any) -> NoReturn:
        records = given[-1] if isinstance(given[-1], list) else [given[-1]]
        fail(f"{records} {[(record.key, record.value, record.headers) for record in records]}")

    selection.letter_of = faulty
    restore._Fold.take = faulty


FAULTS: dict[str, Callable[[], None]] = {
    "fail": lambda: in_first_line(fail),
    "beside": lambda: in_first_line(beside),
    "records": in_first_record,
}

if FAULT in os.environ:
    FAULTS[os.environ[FAULT]]()

if __name__ == "__main__":
    main()
