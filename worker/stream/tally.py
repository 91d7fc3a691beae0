"""What happened in a batch, counted for the metrics as it is decided."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

from worker.adjudication.claim import Claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from worker.adjudication import Adjudicated, Result
    from worker.adjudication.claim import Event
    from worker.adjudication.result import LineDecision

MOHS_PROCEDURES = ("17311", "17312", "17313", "17314", "17315")
"""First and additional stages, and 17315 for blocks above those that a stage includes."""


class Tally:
    """What happened in a batch, for the metrics: counts by label values, and what is told one by one."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.lines: Counter[tuple[str, str]] = Counter()
        self.findings: Counter[tuple[str, str]] = Counter()
        self.policies: Counter[tuple[str, str]] = Counter()
        self.rejected: Counter[str] = Counter()
        self.needed: Counter[str] = Counter()
        """Facts that pended lines wait for."""
        self.units: Counter[str] = Counter()
        """Units of Mohs surgery on submitted claims, by procedure."""
        self.readjudications: Counter[str] = Counter()
        """Results of claims decided again, by what kind of event made them so."""
        self.evicted = 0
        """Claims that fell out of the look-back."""
        self.happened: list[tuple[str, str | None]] = []
        """Outcome of each result and the CloudEvents time of its event, if that has one."""

    def add(
        self, accepted: Sequence[tuple[Event, Adjudicated]], rejected: Sequence[tuple[Event | None, str]]
    ) -> None:
        """Count what events came to: those that were decided, and the others, decoded or not, with why.

        For a few events at a time: of a whole batch most would have left the processor's cache by then.
        """
        results: list[Result] = []
        for event, answer in accepted:
            results += answer.results
            self.happened += [(result.outcome, event.time) for result in answer.results]
            if answer.again:
                self.readjudications[answer.change] += answer.again
            self.evicted += answer.evicted
        lines = [line for result in results for line in result.lines]
        self.events.update([event.type for event, _ in accepted])
        self.outcomes.update(map(_outcome, results))
        self.lines.update(map(_decision, lines))
        self.findings.update(map(_finding, chain.from_iterable(map(_findings, lines))))
        self.needed.update(
            [fact for result in results for one in result.documentation_needed for fact in one.facts]
        )
        self._add_policies(results)
        self._add_mohs_units([event for event, _ in accepted])
        if rejected:
            self.events.update([event.type for event, _ in rejected if event is not None])
            self.rejected.update([reason for _, reason in rejected])

    def _add_policies(self, results: Iterable[Result]) -> None:
        """By policy and version. Results of the same days share one mapping, so that is counted first."""
        mappings: dict[int, Mapping[str, str]] = {}
        used: Counter[int] = Counter()
        for result in results:
            policies = result.basis.policies
            mappings[id(policies)] = policies
            used[id(policies)] += 1
        for key, policies in mappings.items():
            for policy in policies.items():
                self.policies[policy] += used[key]

    def _add_mohs_units(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event.data, Claim):
                for line in event.data.lines:
                    if line.procedure in MOHS_PROCEDURES:
                        self.units[line.procedure] += line.units


_outcome = attrgetter("outcome")
_findings = attrgetter("findings")
_finding = attrgetter("rule", "verdict")


def _decision(line: LineDecision) -> tuple[str, str]:
    return line.decision, line.adjustments[0].carc if line.adjustments else ""
