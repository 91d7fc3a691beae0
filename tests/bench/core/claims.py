"""What a claim costs in the core, from its bytes to those of its result: the whole, and stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from tests.bench.core import stages
from tests.bench.core.costs import Cost, Costs
from tests.bench.core.laps import Runs, added, less, spent, take
from tests.bench.core.picked import Kind, picked
from tests.bench.scaling.core import Case, answer_to, folded, with_history, without_history
from tests.bench.scaling.cores import alone
from worker.adjudication import Reference
from worker.reference import load_reference
from worker.stream.deciding import SLICE
from worker.stream.memory import settle_memory

CLAIMS = 2_000
"""Of a round."""
FOUR_LINES = "a claim of four lines with a documented lesion"
OUT_OF_SCOPE = "an out-of-scope claim"
TARGETS: Mapping[Kind, tuple[str, float, float | None]] = {
    "four lines": (FOUR_LINES, 40.0, 25.0),
    "out of scope": (OUT_OF_SCOPE, 15.0, None),
}

ALONE = ("decode", "rules", "said", "result", "encode")
DECODING = ("json", "typed", "forms", "digest")
HISTORY = ("decode", "read", "fold", "decide", "write", "encode")
NAMES = {
    "decode": "decode",
    "json": "that it is JSON, no key twice",
    "typed": "typed decode",
    "forms": "published forms, rules across fields",
    "digest": "input digest",
    "rules": "rules",
    "said": "what is said of each line",
    "result": "basis, result id, result",
    "encode": "encode",
    "read": "read the history",
    "fold": "fold the event into it",
    "pack": "of it, pack the claim",
    "mark": "of it, the event's mark",
    "decide": "rules, what is said, result",
    "marks": "of it, the lines' marks",
    "events": "of it, digest of the events held",
    "write": "write the history",
}
NOTES = [
    (
        "Decided alone, claim by claim, is of claims that nobody has seen, others in each round; all else is "
        "of the same claims again, so that what the core remembers is there."
    ),
    (
        f"Stages are of {SLICE} claims at a time, as the worker takes them through the steps. Parts of a "
        "stage are measured apart, and need not add up to it."
    ),
]


def measure(rounds: int) -> list[Costs]:
    """A table a kind of claim, each measured in a process of its own."""
    return [alone(_measured, kind, rounds) for kind in TARGETS]


def _measured(kind: Kind, rounds: int) -> Costs:
    reference = load_reference()
    values = picked(kind, CLAIMS * (rounds + 1))
    parts = [values[at : at + CLAIMS] for at in range(0, len(values), CLAIMS)]
    found: dict[str, Runs] = {}
    for number, part in enumerate(parts):
        for name, count, measured in _passes(part, reference):
            seconds = measured()
            if number:  # in the first of them caches fill, and the interpreter specialises
                take(found.setdefault(name, {}), seconds, count)
    return _costs(kind, found)


def _second_claims(values: Sequence[bytes], reference: Reference) -> Iterable[Case]:
    """Claims of members who have one of another day, that is within the look-back."""
    for before, value in pairwise(values):
        case = Case(value, folded(before, None, reference))
        answer = answer_to(case.value, case.state, reference)
        if len(answer.results) == 1 and not answer.evicted:
            yield case


def _passes(
    values: Sequence[bytes], reference: Reference
) -> Iterable[tuple[str, int, Callable[[], Mapping[str, float]]]]:
    """Name, number of claims, and what measures seconds by stage: to be called before the next comes."""
    by_itself, held = without_history(reference), with_history(reference)
    first = [Case(value) for value in values]
    settle_memory()
    yield "alone", len(first), lambda: {"whole": spent(by_itself, first)}
    # Only now, for it decides them: nobody has seen them above.
    second = list(_second_claims(values, reference))
    settle_memory()
    yield "alone by stage", len(first), lambda: stages.alone(first, reference)
    yield "decode", len(first), lambda: stages.decoding(first)
    for name, cases in (("first", first), ("second", second)):
        yield name, len(cases), lambda cases=cases: {"whole": spent(held, cases)}
        yield f"{name} by stage", len(cases), lambda cases=cases: stages.with_history(cases, reference)
        yield f"{name} kept", len(cases), lambda cases=cases: stages.keeping(cases, reference)


def _costs(kind: Kind, found: Mapping[str, Runs]) -> Costs:
    title, target, aim = TARGETS[kind]
    by_stage = found["alone by stage"]
    whole = added(by_stage, ALONE)
    costs = [
        Cost.of("decided alone, claim by claim", found["alone"]["whole"], target=target, aim=aim),
        Cost.of("decided alone, stage by stage", whole),
    ]
    for stage in ALONE:
        costs.append(Cost.of(NAMES[stage], by_stage[stage], 1))
        if stage == "decode":
            costs += [Cost.of(NAMES[part], found["decode"][part], 2) for part in DECODING]
    for name in ("first", "second"):
        costs += _history_costs(name, found, whole)
    return Costs(f"What {title} costs in the core", costs, NOTES)


def _history_costs(name: str, found: Mapping[str, Runs], alone: Iterable[float]) -> Iterable[Cost]:
    """Of the first or the second claim of a member; ``alone`` is what a claim by itself takes."""
    by_stage, kept = found[f"{name} by stage"], found[f"{name} kept"]
    whole = added(by_stage, HISTORY)
    yield Cost.of(f"with history, {name} claim of a member, claim by claim", found[name]["whole"])
    yield Cost.of(f"with history, {name} claim of a member, stage by stage", whole)
    yield Cost.of("of which history adds", less(whole, alone), 1)
    for stage in HISTORY:
        yield Cost.of(NAMES[stage], by_stage[stage], 1)
        parts = {"fold": ("pack", "mark"), "decide": ("marks", "events")}.get(stage, ())
        yield from (Cost.of(NAMES[part], kept[part], 2) for part in parts)
