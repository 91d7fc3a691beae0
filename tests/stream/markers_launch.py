"""Runs a worker with a bug that quotes claims wherever an exception can; the argument says where."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from tests.unredacted import spelled_out
from worker.adjudication import Adjudicated, Rejected, Result
from worker.adjudication.claim import VOIDED, Event
from worker.settings import Settings, load_settings
from worker.stream.app import run_worker
from worker.stream.core import Core, load_core
from worker.stream.deciding import Decider
from worker.stream.lane import Lane
from worker.stream.logs import configure_logs
from worker.stream.metrics import Metrics
from worker.stream.transactions.producer import TransactionalProducer


def in_words(quoted: object) -> str:
    """All that these values hold: their own repr does not tell it."""
    return str(spelled_out(quoted))


def fail(*quoted: Any) -> NoReturn:
    """Raise what quotes everything, from what quotes everything."""
    said = in_words(quoted)
    cause = KeyError(said)
    cause.add_note(said)
    raise ExceptionGroup(said, [ValueError(said)]) from cause


async def fail_later(*quoted: Any) -> None:
    fail(*quoted)


def in_adjudication(settings: Settings) -> Core:
    """One event's decision: of more, the breaker would stop the worker before they are set aside."""
    core = load_core(settings)

    def adjudicate(event: Event, history: bytes | None) -> Adjudicated | Rejected:
        return (
            fail(event, history)
            if _is_broken(event.type, event.data.member_id)
            else core.adjudicate(event, history)
        )

    return core._replace(adjudicate=adjudicate)


def in_encoding(settings: Settings) -> Core:
    core = load_core(settings)

    def encode(result: Result) -> bytes:
        return fail(result) if _is_broken(result.cause.type, result.member_id) else core.encode(result)

    return core._replace(encode=encode)


def _is_broken(kind: str, member: str) -> bool:
    return kind == VOIDED and member.endswith("-1")


def in_batch(settings: Settings) -> Core:
    """What is around the decisions of a batch."""
    Decider.decide = fail  # that is the bug
    return load_core(settings)


def in_source(settings: Settings) -> Core:
    """The task that fetches; nothing expects it there."""
    Lane.offer = fail
    return load_core(settings)


def in_counting(settings: Settings) -> Core:
    """What follows a commit."""
    Metrics.batch = fail
    return load_core(settings)


def in_sending(settings: Settings) -> Core:
    """The transaction, which is given everything."""
    commit = TransactionalProducer.commit

    async def send(producer: TransactionalProducer, outputs: Mapping[str, Sequence[Any]], *rest: Any) -> Any:
        return fail(outputs) if any(outputs.values()) else await commit(producer, outputs, *rest)

    TransactionalProducer.commit = send
    return load_core(settings)


def in_task_that_nobody_awaits(settings: Settings) -> Core:
    return _beside(settings, lambda records: asyncio.ensure_future(fail_later(records)))


def in_future_that_nobody_awaits(settings: Settings) -> Core:
    def forget(records: Sequence[Any]) -> None:
        asyncio.get_running_loop().create_future().set_exception(KeyError(in_words(records)))

    return _beside(settings, forget)


def in_callback(settings: Settings) -> Core:
    return _beside(settings, lambda records: asyncio.get_running_loop().call_soon(fail, records))


def in_thread(settings: Settings) -> Core:
    return _beside(settings, lambda records: threading.Thread(target=fail, args=records).start())


def in_finalizer(settings: Settings) -> Core:
    return _beside(settings, _Unfinished)


def in_warning(settings: Settings) -> Core:
    return _beside(settings, lambda records: warnings.warn(in_words(records), stacklevel=2))


def _beside(settings: Settings, do: Callable[[Sequence[Any]], object]) -> Core:
    """Work that goes on, with something done beside it whenever records have come."""
    offer = Lane.offer

    def careless(lane: Lane, records: Sequence[Any]) -> None:
        do(records)
        offer(lane, records)
        gc.collect()

    Lane.offer = careless
    return load_core(settings)


class _Unfinished:
    def __init__(self, records: Sequence[Any]) -> None:
        self.records = records

    def __del__(self) -> None:
        fail(self.records)


BUGS: dict[str, Callable[[Settings], Core]] = {
    bug.__name__: bug
    for bug in (
        in_adjudication, in_encoding, in_batch, in_source, in_counting, in_sending,
        in_task_that_nobody_awaits, in_future_that_nobody_awaits, in_callback,
        in_thread, in_finalizer, in_warning,
    )
}  # fmt: skip

if __name__ == "__main__":
    settings = load_settings()
    configure_logs(settings)
    run_worker(settings, BUGS[sys.argv[1]])
