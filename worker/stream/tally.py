"""What happened in a batch, counted for the metrics once the whole of it is decided."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from worker.adjudication.claim import Claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from worker.adjudication import Adjudicated, Result
    from worker.adjudication.claim import Event
    from worker.adjudication.result import LineDecision

MOHS_PROCEDURES = ("17311", "17312", "17313", "17314", "17315")
"""First and additional stages, and 17315 for blocks above those that a stage includes."""


class Tally(NamedTuple):
    """What happened in a batch, for the metrics: counts by label values."""

    events: Counter[str]
    outcomes: Counter[str]
    lines: Counter[tuple[str, str]]
    findings: Counter[tuple[str, str]]
    policies: Counter[tuple[str, str]]
    rejected: Counter[str]
    needed: Counter[str]
    """Facts that pended lines wait for."""
    units: Counter[str]
    """Units of Mohs surgery on submitted claims, by procedure."""
    readjudications: Counter[str]
    """Results of claims decided again, by what kind of event made them so."""
    evicted: int
    """Claims that fell out of the look-back."""
    happened: list[tuple[str, str | None]]
    """Outcome of each result and the CloudEvents time of its event, if that has one."""


def tallied(
    accepted: Sequence[tuple[Event, Adjudicated]], rejected: Iterable[tuple[Event | None, str]]
) -> Tally:
    """Count what events came to: those that were decided, and the others, decoded or not, with the reason."""
    decisions = [(event, result) for event, answer in accepted for result in answer.results]
    results = [result for _, result in decisions]
    lines = [line for result in results for line in result.lines]
    readjudications: Counter[str] = Counter()
    for _, answer in accepted:
        if answer.again:
            readjudications[answer.change] += answer.again
    rejections = list(rejected)
    return Tally(
        events=Counter(
            [event.type for event, _ in accepted]
            + [event.type for event, _ in rejections if event is not None]
        ),
        outcomes=Counter(map(_outcome, results)),
        lines=Counter(map(_decision, lines)),
        findings=Counter(map(_finding, chain.from_iterable(map(_findings, lines)))),
        policies=_policies(results),
        rejected=Counter([reason for _, reason in rejections]),
        needed=Counter(
            [fact for result in results for one in result.documentation_needed for fact in one.facts]
        ),
        units=_mohs_units([event for event, _ in accepted]),
        readjudications=readjudications,
        evicted=sum([answer.evicted for _, answer in accepted]),
        happened=[(result.outcome, event.time) for event, result in decisions],
    )


_outcome = attrgetter("outcome")
_findings = attrgetter("findings")
_finding = attrgetter("rule", "verdict")


def _decision(line: LineDecision) -> tuple[str, str]:
    return line.decision, line.adjustments[0].carc if line.adjustments else ""


def _policies(results: Iterable[Result]) -> Counter[tuple[str, str]]:
    """By policy and version. Results of the same days share one mapping, so that is what is counted first."""
    mappings: dict[int, Mapping[str, str]] = {}
    used: Counter[int] = Counter()
    for result in results:
        policies = result.basis.policies
        mappings[id(policies)] = policies
        used[id(policies)] += 1
    counts: Counter[tuple[str, str]] = Counter()
    for key, policies in mappings.items():
        for policy in policies.items():
            counts[policy] += used[key]
    return counts


def _mohs_units(events: Iterable[Event]) -> Counter[str]:
    units: Counter[str] = Counter()
    for event in events:
        if isinstance(event.data, Claim):
            for line in event.data.lines:
                if line.procedure in MOHS_PROCEDURES:
                    units[line.procedure] += line.units
    return units
