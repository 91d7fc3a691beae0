"""Runs ``mms-worker`` with a redrive that halts itself at a moment that the first three arguments name.

They are: how it halts (SIGKILL, or SIGSTOP until it is continued), the moment, and in which transaction.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer.sender import EndTxnHandler

from worker import cli
from worker.stream.redrive import sending

RECORDS = 3
"""Letters of a transaction here, so that there are several."""


def halting(original: Any, how: signal.Signals, number: int, *, behind: bool = False) -> Any:
    """``original`` that halts the process the ``number``th time, before it begins or behind its end."""
    calls = 0

    def halt() -> None:
        if calls == number:
            os.kill(os.getpid(), how)

    async def awaited(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if not behind:
            halt()
        answer = await original(*arguments, **named)
        if behind:
            halt()
        return answer

    def called(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        halt()
        return original(*arguments)

    return called if original is EndTxnHandler.handle_response else awaited


def main() -> None:
    how, moment, number = signal.Signals[sys.argv[1]], sys.argv[2], int(sys.argv[3])
    sys.argv[1:4] = []
    sending.MOST_RECORDS = RECORDS
    places = {
        "before it fences": (AIOKafkaProducer, "start", False),
        "before it begins": (AIOKafkaProducer, "begin_transaction", False),
        "before it sends": (AIOKafkaProducer, "send_batch", False),
        "before it commits": (AIOKafkaProducer, "commit_transaction", False),
        "before it knows of its commit": (EndTxnHandler, "handle_response", False),
        "behind its commit": (AIOKafkaProducer, "commit_transaction", True),
    }
    owner, name, behind = places[moment]
    setattr(owner, name, halting(getattr(owner, name), how, number, behind=behind))
    cli.main()


if __name__ == "__main__":
    main()
