"""One run of workers over one history, with one thing that goes wrong at one step.

A deed is what goes wrong: a generator function that acts on the world and yields what it waits for before it
goes on. Every run is the same each time: same callbacks, same order, same numbers.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

import aiokafka.producer.producer as aiokafka_producer
import pytest

from tests.lane.broker import Broker
from tests.lane.clients import Connection, Consumer, Producer
from tests.lane.mutants import Mutation
from tests.lane.wire import Fault
from tests.lane.witness import Expected, Violation, Witness
from tests.lane.world import AT_ONCE, Manner, World, current
from worker.settings import Settings
from worker.stream import bounded, engine, lane, leaving, offsets, retry, source
from worker.stream.metrics import Metrics
from worker.stream.transactions import producer

Deed: TypeAlias = Callable[[World], Iterator[Callable[[], bool]]]

MOST_STEPS = 100_000
LONGEST_S = 900.0
ABORTED = "transaction aborted"
IDLE_S = 60.0
"""How seldom the source looks up from waiting here: each time costs steps and nothing depends on it."""


class Case(NamedTuple):
    """A history with what it must come to. ``broker`` makes the brokers as they are before the run."""

    settings: Settings
    broker: Callable[[], Broker]
    expected: Expected
    manner: Manner = AT_ONCE


class Run(NamedTuple):
    """What a run came to."""

    steps: int
    requests: list[str]
    violation: Violation | None
    event: str
    """What had last happened when the first deed was done."""
    events: Counter[str]
    """What the workers have logged, and ``ABORTED`` how often."""


def run(
    case: Case,
    deeds: Sequence[tuple[int, Deed]] = (),
    faults: Mapping[int, Fault] | None = None,
) -> Run:
    """Run workers until the history is answered and they have ended; each deed is done at its step."""
    retry.random.seed(0)
    world = World(case.settings, case.broker(), case.manner, faults or {})
    witness = Witness(world, case.expected)
    with world.loop.running():
        event = _play(world, witness, list(deeds))
        witness.judge()
    world.events[ABORTED] = world.broker.aborted
    return Run(world.loop.steps, world.wire.requests, witness.violation, event, world.events)


def _play(world: World, witness: Witness, deeds: list[tuple[int, Deed]]) -> str:
    """Take turns until all is done; returns what had happened before the first deed."""
    loop, event = world.loop, ""
    scripts: list[tuple[Iterator[Callable[[], bool]], Callable[[], bool]]] = []
    world.group.give(world.hire())
    ending = False
    while witness.violation is None:
        if deeds and loop.steps >= deeds[0][0]:
            event = event or world.wire.latest
            scripts.append((deeds.pop(0)[1](world), _now))
            ending = False
        scripts = [going for script in scripts if (going := _advanced(*script)) is not None]
        if not scripts and not ending and world.is_answered:
            ending = True
            for worker in world.living:
                worker.end()
        has_ended = ending and not scripts and all(worker.is_done for worker in world.living)
        if has_ended and not world.wire.under_way:
            return event
        if world.failure is not None:
            witness.violated("stopped", world.failure)
        if not loop.turn() or loop.steps > MOST_STEPS or loop.time() > LONGEST_S:
            witness.violated("stuck", "the history is not answered, or the workers do not end")
    return event


def _now() -> bool:
    return True


def _advanced(
    script: Iterator[Callable[[], bool]], awaited: Callable[[], bool]
) -> tuple[Iterator[Callable[[], bool]], Callable[[], bool]] | None:
    while awaited():
        following = next(script, None)
        if following is None:
            return None
        awaited = following
    return script, awaited


@contextmanager
def in_memory(mutation: Mutation | None = None) -> Iterator[None]:
    """Put the clients in memory under the real worker, or under one that has been mutated."""
    with pytest.MonkeyPatch.context() as patch:
        if mutation is not None:
            patch.setattr(*mutation)
        patch.setattr(aiokafka_producer, "AIOKafkaClient", Connection)
        patch.setattr(producer, "Producer", Producer)
        patch.setattr(bounded, "AIOKafkaConsumer", Consumer)
        patch.setattr(source, "AIOKafkaConsumer", Consumer)
        patch.setattr(source, "verify_counts", _counted)
        patch.setattr(source, "process_age", float)
        patch.setattr(source, "POLL_MS", IDLE_S * 1000)
        patch.setattr(source, "TICK_S", IDLE_S)
        patch.setattr(engine, "TICK_S", IDLE_S)
        patch.setattr(engine, "Metrics", lambda _: METRICS)
        patch.setattr(retry, "random", random.Random(0))  # noqa: S311  spreads retries, the same each time
        patch.setattr(bounded, "time", Clock)
        patch.setattr(source, "time", Clock)
        patch.setitem(retry.Backoff.__init__.__kwdefaults__, "now", Clock.monotonic)
        for module in (engine, lane, leaving, offsets, source):
            patch.setattr(module, "log", Diary())
        with _silenced(logging.getLogger("aiokafka")):
            yield


@contextmanager
def _silenced(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


METRICS = Metrics("input")
"""Of all runs together: nothing here looks at them, and they take long to make."""


class Diary:
    """A logger that counts what is said."""

    def bind(self, **_: object) -> Diary:
        return self

    def info(self, event: str, **_: object) -> None:
        current().events[event] += 1

    warning = info


class Clock:
    """The loop's time, where a module of the worker asks for the machine's."""

    @staticmethod
    def monotonic() -> float:
        return current().loop.time()


async def _counted(_: Settings) -> None:
    await current().wire.ask("Metadata", lambda: None)
