"""How a command that is told to stop ends: by unwinding, so that nothing half-written stays."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from worker.commands.faults import abandon_standard_output

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def unwinding() -> Iterator[None]:
    """A signal to stop raises ``SystemExit`` with 128 and its number; one that is ignored stays so."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, disposition in before.items():
        if disposition is not signal.SIG_IGN:  # nohup, or a script's background job
            signal.signal(number, _unwind)
    try:
        yield
    finally:
        for number, disposition in before.items():
            signal.signal(number, disposition)


def _unwind(number: int, _: FrameType | None) -> NoReturn:
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)  # a second one must not cut the tidying short
    abandon_standard_output()  # its reader may be the one that does not read
    raise SystemExit(128 + number)
