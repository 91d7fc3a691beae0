"""What an event of generated histories costs: in the core, and with what the worker has around that."""

from __future__ import annotations

from functools import partial

from tests.bench.core.batches import BATCH, Core, Deciding, records
from tests.bench.core.costs import Cost, Costs
from tests.bench.core.laps import Runs, added, less, take
from tests.bench.core.picked import member_of
from tests.bench.inputs import SEED, kept
from tests.bench.scaling.cores import alone
from worker.adjudication import adjudicate
from worker.devkit.generator import histories
from worker.reference import load_reference
from worker.stream.memory import settle_memory

EVENTS = 20_000
MEMBERS = 5_000
NOTES = [
    (
        f"{EVENTS:,} events of {MEMBERS:,} members at most, others in each round: claims, and what becomes "
        "of them. Each round begins without histories."
    ),
    (
        "The first row is of events that nobody has seen, the others are of the same again. Batches are of "
        f"{BATCH} records."
    ),
]


def measure(rounds: int) -> list[Costs]:
    """One table, measured in a process of its own."""
    return [alone(_measured, rounds)]


def _measured(rounds: int) -> Costs:
    decide = partial(adjudicate, reference=load_reference())
    runs: Runs = {}
    for number in range(rounds + 1):
        events = generated(number)
        values, made = [value for _, value in events], records(events)
        settle_memory()
        seconds = {"new": Core(decide).seconds(values), "core": Core(decide).seconds(values)}
        seconds |= Deciding(decide).seconds(made)
        if number:  # in the first of them caches fill, and the interpreter specialises
            take(runs, seconds, EVENTS)
    return Costs(
        "What an event of mixed histories costs within the process",
        [
            Cost.of("core, events that nobody has seen", runs["new"]),
            Cost.of("decided and counted as the worker does", added(runs, ("decide", "count"))),
            Cost.of("core", runs["core"], 1),
            Cost.of("records, headers, key check, drafts, tally", less(runs["decide"], runs["core"]), 1),
            Cost.of("metrics", runs["count"], 1),
        ],
        NOTES,
    )


def generated(number: int) -> list[tuple[bytes, bytes]]:
    """Member and event, others for each number."""
    made = histories(EVENTS, SEED + number, MEMBERS)
    values = kept(f"core-mixed-{EVENTS}-{MEMBERS}-{number}", made).read_bytes().splitlines()
    return [(member_of(value), value) for value in values]
