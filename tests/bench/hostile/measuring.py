"""What one member costs, event by event, as it grows: processor time, state, results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from tests.bench.hostile.shapes import Shape
from worker.adjudication import Limits, Reference, Rejected, adjudicate, decode, encode


class Event(NamedTuple):
    """What one event came to. Sizes are bytes."""

    seconds: float
    """Of processor: to decode it, to decide it with the member's history, to encode the results."""
    state: int
    results: int
    results_bytes: int
    reason: str
    """Why it is a dead letter; empty of one that is not."""


class Span(NamedTuple):
    """The events up to a number of them, from the number before."""

    events: int
    median: float
    p99: float
    worst: float
    state: int
    """The largest, in bytes."""
    results: int
    """Most of one event."""
    results_bytes: int
    rejected: int


def told(
    shape: Shape, reference: Reference, limits: Limits, clock: Callable[[], float] = time.process_time
) -> Iterator[Event]:
    """Every event of a shape, decided with what the ones before have left."""
    history: bytes | None = None
    for raw in shape():
        began = clock()
        event = decode(raw)
        answer = event if isinstance(event, Rejected) else adjudicate(event, history, reference, limits)
        sizes: list[int] = []
        if not isinstance(answer, Rejected):
            sizes = [len(encode(result)) for result in answer.results]
            history = answer.history or history
        reason = answer.reason if isinstance(answer, Rejected) else ""
        yield Event(clock() - began, len(history or b""), len(sizes), sum(sizes), reason)


def spans(events: Iterator[Event], ends: list[int], budget: float) -> Iterator[Span]:
    """The events between numbers; stops, with what there is, when ``budget`` processor seconds are over."""
    count, spent = 0, 0.0
    for end in ends:
        found: list[Event] = []
        for one in islice(events, end - count):
            found.append(one)
            spent += one.seconds
            if spent > budget:
                break
        count += len(found)
        if found:
            yield _span(count, found)
        if count < end:
            return


def _span(events: int, found: list[Event]) -> Span:
    times = sorted(one.seconds for one in found)
    return Span(
        events,
        times[len(times) // 2],
        times[len(times) * 99 // 100],
        times[-1],
        max(one.state for one in found),
        max(one.results for one in found),
        max(one.results_bytes for one in found),
        sum(bool(one.reason) for one in found),
    )
