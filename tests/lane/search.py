"""Looking at every step: the same run again and again, each time with the deed one step later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.lane.driver import Case, Deed, Run, run
from tests.lane.wire import Fault
from tests.lane.witness import Violation

OF_TRANSACTIONS = {
    "InitProducerId",
    "AddPartitionsToTxn",
    "AddOffsetsToTxn",
    "TxnOffsetCommit",
    "Produce",
    "EndTxn",
}
"""Requests that a broker can answer with an error which the worker's own consumer does not mend."""

MOST_TOLD = 5


class Found(NamedTuple):
    """A run that violates something: what was done, where, and what came of it."""

    deed: str
    place: int
    """The step, or the number of the request."""
    event: str
    violation: Violation

    def __str__(self) -> str:
        return f"{self.deed} at {self.place} ({self.event}): {self.violation}"


class Search(NamedTuple):
    """How many runs there were, what happened in them, and those that violated something."""

    runs: int
    events: Counter[str]
    found: list[Found]

    def __str__(self) -> str:
        found = "".join(f"\n  {one}" for one in self.found[:MOST_TOLD])
        return f"{self.runs} runs, {len(self.found)} violations{found}"


def at_every_step(case: Case, deed: Deed) -> Search:
    """Do the deed at each step of the undisturbed run in turn."""
    return _searched(_at_steps(case, deed))


def on_every_request(case: Case, fault: Fault) -> Search:
    """Have each request of the undisturbed run meet the fault in turn."""
    return _searched(_on_requests(case, fault))


def first_found(case: Case, what: Deed | Fault) -> Found | None:
    """The first step, or request, at which something is violated."""
    runs = _on_requests(case, what) if isinstance(what, Fault) else _at_steps(case, what)
    return next((found for one in runs if (found := _found(one)) is not None), None)


def tried(case: Case, what: Deed | Fault, place: int) -> Run:
    """One of the runs of a search."""
    if isinstance(what, Fault):
        return run(case, faults={place: what})
    return run(case, [(place, what)])


class _Tried(NamedTuple):
    deed: str
    place: int
    run: Run


def _at_steps(case: Case, deed: Deed) -> Iterator[_Tried]:
    for step in range(run(case).steps):
        yield _Tried(deed.__name__, step, tried(case, deed, step))


def _on_requests(case: Case, fault: Fault) -> Iterator[_Tried]:
    for place, name in enumerate(run(case).requests):
        if _can_meet(name, fault):
            yield _Tried(f"{name}: {fault.value}", place, tried(case, fault, place))


def _found(one: _Tried) -> Found | None:
    violation = one.run.violation
    if violation is None:
        return None
    return Found(one.deed, one.place, one.run.event or one.run.requests[one.place], violation)


def _searched(runs: Iterable[_Tried]) -> Search:
    events: Counter[str] = Counter()
    found, count = [], 0
    for one in runs:
        count += 1
        events += one.run.events
        if (seen := _found(one)) is not None:
            found.append(seen)
    return Search(count, events, found)


def _can_meet(name: str, fault: Fault) -> bool:
    return name in OF_TRANSACTIONS or fault not in {Fault.FAILS, Fault.NOT_NOW}
