"""Processor time of the pure core an event: from the bytes of the event to those of its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import thread_time
from typing import NamedTuple, TypeAlias

from worker.adjudication import Adjudicated, Reference, Rejected, adjudicate, adjudicate_alone, decode, encode
from worker.adjudication.claim import Event
from worker.stream.memory import settle_memory

MICRO = 1e6


class Case(NamedTuple):
    """An event, and what is held of its member when it comes."""

    value: bytes
    state: bytes | None = None


Way: TypeAlias = Callable[[Case], object]


def answer_to(value: bytes, state: bytes | None, reference: Reference) -> Adjudicated:
    """What an event brings about, decided by what is held of its member, and encoded.

    Raises TypeError for an event that is no good, or cannot be taken: none of the benches' are.
    """
    answer = adjudicate(_event_of(value), state, reference)
    if isinstance(answer, Rejected):
        raise TypeError(f"an event of the bench is not taken: {answer}")
    for result in answer.results:
        encode(result)
    return answer


def folded(value: bytes, state: bytes | None, reference: Reference) -> bytes:
    """The member's history after an event; as it was, if the event came before."""
    history = answer_to(value, state, reference).history
    if history is None:
        assert state is not None  # of nobody was anything seen before
        return state
    return history


def with_history(reference: Reference) -> Way:
    """Decide an event by what is held of its member, and write what is held from then on."""
    return lambda case: answer_to(case.value, case.state, reference)


def without_history(reference: Reference) -> Way:
    """Decide an event as if nothing else were known of its member."""
    return lambda case: encode(adjudicate_alone(_event_of(case.value), reference))


def _event_of(value: bytes) -> Event:
    event = decode(value)
    if isinstance(event, Rejected):
        raise TypeError(f"an event of the bench is no good: {event}")
    return event


def rounds(
    ways: Mapping[tuple[str, int], tuple[Way, Sequence[Case]]], repetitions: int, least_s: float
) -> dict[str, dict[int, list[float]]]:
    """CPU µs an event, by series, by what varies, of each repetition.

    All of them have their turn before one has its next, so that what disturbs disturbs all alike. A turn
    lasts ``least_s`` seconds at the least.
    """
    for way, cases in ways.values():
        _turn(way, cases, 0)  # what is cached is cached by then
    settle_memory()
    found: dict[str, dict[int, list[float]]] = {}
    for _ in range(repetitions):
        for (series, x), (way, cases) in ways.items():
            found.setdefault(series, {}).setdefault(x, []).append(_turn(way, cases, least_s))
    return found


def _turn(way: Way, cases: Sequence[Case], least_s: float) -> float:
    began, passes = thread_time(), 0
    while not passes or thread_time() - began < least_s:
        for case in cases:
            way(case)
        passes += 1
    return (thread_time() - began) / (passes * len(cases)) * MICRO
