"""Tells a difference: as rows for the tables, as a claim shown whole, and in the counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from worker.adjudication.redacted import redacted
from worker.replay.telling.billed import cents
from worker.replay.telling.comparing import rules_of
from worker.replay.telling.differences import Cause, Difference, Example, ShownFinding, ShownLine, ShownResult
from worker.replay.telling.outcome import NONE, SHOWN_CLAIMS, Amount, Counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.adjudication.claim import Line
    from worker.replay.reading.recorded import Recorded, RecordedFinding, RecordedLine
    from worker.replay.telling.causes import Told
    from worker.replay.telling.comparing import Changed


@redacted
class Found(NamedTuple):
    """A result that differs, with all that is told of it; a side that there is not is None."""

    told: Told
    changes: Sequence[Changed]
    before: Recorded | None
    after: Recorded | None
    offset: int | None
    """Place of the event."""
    result_offset: int | None
    timestamp: int
    """Of the event, else of the published record, in milliseconds; 0 where neither has one."""
    billed: Mapping[int, Line]

    @property
    def either(self) -> Recorded | None:
        """The side that there is, the replay's first."""
        return self.after or self.before

    @property
    def names(self) -> dict[str, Any]:
        """What rows and shown claims say first: where it is, and of which claim."""
        either = self.either
        return {
            "offset": self.offset,
            "result_offset": self.result_offset,
            "event_type": either.cause.type if either else None,
            "claim_id": either.claim_id if either else None,
            "cause": self.told.cause,
        }


@redacted
class Tellings(Struct):
    """What was told of a shard so far, but for its rows."""

    counts: Counts
    examples: list[Example] = []
    claims: set[str] = set()
    """Ids of claims that differ."""
    claims_decided_otherwise: set[str] = set()
    replaced: dict[str, tuple[str, Cause]] = {}
    """Of results that differ in their id: the replay's id, to what was published instead and the cause."""
    first_ms: int | None = None
    """Earliest and latest timestamp of the window's events."""
    last_ms: int | None = None


class Teller:
    """Tells the differences of a shard."""

    def __init__(self, partition: int, so_far: Tellings, *, with_phi: bool) -> None:
        """``so_far`` is added to."""
        self._partition = partition
        self._counts = so_far.counts
        self._examples = so_far.examples
        self._claims = so_far.claims
        self._decided_otherwise = so_far.claims_decided_otherwise
        self._with_phi = with_phi

    def tell(self, found: Found) -> list[Difference]:
        """Count a difference, show it if it is among the first, and return its rows."""
        self._count(found)
        if len(self._examples) < SHOWN_CLAIMS:
            self._examples.append(self._example(found))
        return [self._row(found, changed) for changed in found.changes]

    def _count(self, found: Found) -> None:
        counts, cause = self._counts, found.told.cause
        _more(counts.results_by_cause, cause)
        if found.either is not None:
            self._count_claim(found.either.claim_id, found.changes)
        day = _day(found.timestamp)
        if day is not None:
            _more(counts.causes_by_day.setdefault(day, {}), cause)
        for changed in found.changes:
            if changed.line is not None:
                _more(counts.lines_by_cause, cause)
                _more(counts.lines_by_change, changed.change)
                self._count_line(changed, found.billed.get(changed.line), day)
        for before, after in {_cell(changed) for changed in found.changes if changed.line is not None}:
            counts.amounts[before][after].results += 1

    def _count_claim(self, claim_id: str, changes: Sequence[Changed]) -> None:
        self._claims.add(claim_id)
        if any(changed.change not in {"reasons", "bytes"} for changed in changes):
            self._decided_otherwise.add(claim_id)
        self._counts.claims_differing = len(self._claims)
        self._counts.claims_decided_otherwise = len(self._decided_otherwise)

    def _count_line(self, changed: Changed, billed: Line | None, day: str | None) -> None:
        counts, (before, after) = self._counts, (changed.before, changed.after)
        sides = _cell(changed)
        _more(counts.line_flows.setdefault(sides[0], {}), sides[1])
        counts.amounts.setdefault(sides[0], {}).setdefault(sides[1], Amount()).add(
            Amount(
                1,
                (before.units_allowed or 0) if before else 0,
                (after.units_allowed or 0) if after else 0,
                cents(billed.charge) if billed else 0,
            )
        )
        if day is not None:
            for carc in sorted(_carcs(before) ^ _carcs(after)):
                _more(counts.carcs_by_day.setdefault(day, {}), carc)

    def _row(self, found: Found, changed: Changed) -> Difference:
        before, after = found.before, found.after
        return Difference(
            partition=self._partition,
            line=changed.line,
            change=changed.change,
            **found.names,
            outcome_before=before.outcome if before else None,
            outcome_after=after.outcome if after else None,
            **_of_line("before", changed.before),
            **_of_line("after", changed.after),
            policies_before=_names(before.basis.policies) if before else None,
            policies_after=_names(after.basis.policies) if after else None,
            code_sets_before=_names(before.basis.code_sets) if before else None,
            code_sets_after=_names(after.basis.code_sets) if after else None,
            result_id_before=before.result_id if before else None,
            result_id_after=after.result_id if after else None,
            **self._phi(found.either, None if changed.line is None else found.billed.get(changed.line)),
        )

    def _phi(self, either: Recorded | None, billed: Line | None) -> dict[str, Any]:
        if not self._with_phi or either is None:
            return {}
        told: dict[str, Any] = {"member_id": either.member_id}
        if billed is not None:
            told |= {
                "procedure": billed.procedure,
                "service_date": billed.service_date.isoformat(),
                "units_billed": billed.units,
                "charge": billed.charge,
            }
        return told

    def _example(self, found: Found) -> Example:
        return Example(
            partition=self._partition,
            why=found.told.why,
            before=self._shown(found, found.before),
            after=self._shown(found, found.after),
            member_id=found.either.member_id if found.either and self._with_phi else None,
            **found.names,
        )

    def _shown(self, found: Found, result: Recorded | None) -> ShownResult | None:
        if result is None:
            return None
        differing = {changed.line for changed in found.changes}
        asked = {need.line: " ".join(need.facts) for need in result.documentation_needed}
        return ShownResult(
            result.result_id,
            result.revision,
            result.outcome,
            _names(result.basis.policies),
            _names(result.basis.code_sets),
            result.basis.engine,
            tuple(
                ShownLine(
                    line.line,
                    line.decision,
                    line.units_allowed,
                    _adjustments(line),
                    self._findings(line),
                    line.line in differing,
                    asked.get(line.line, ""),
                    self._billed(found.billed.get(line.line)),
                )
                for line in result.lines
            ),
        )

    def _findings(self, line: RecordedLine) -> tuple[ShownFinding, ...]:
        return tuple(
            ShownFinding(
                one.rule,
                one.verdict,
                one.policy,
                one.version,
                one.citation,
                one.reason if self._with_phi else None,
                _evidence(one) if self._with_phi else None,
            )
            for one in line.findings
        )

    def _billed(self, line: Line | None) -> str | None:
        if line is None or not self._with_phi:
            return None
        code = "-".join([line.procedure, *line.modifiers])
        return f"{code}, {line.units} billed for {line.charge} on {line.service_date}"


def _cell(changed: Changed) -> tuple[str, str]:
    """The decisions on a line before and after."""
    before, after = changed.before, changed.after
    return NONE if before is None else before.decision, NONE if after is None else after.decision


def _of_line(side: str, line: RecordedLine | None) -> dict[str, Any]:
    if line is None:
        return {}
    return {
        f"decision_{side}": line.decision,
        f"units_{side}": line.units_allowed,
        f"adjustments_{side}": _adjustments(line),
        f"rules_{side}": " ".join(f"{rule}={verdict}" for rule, verdict in rules_of(line)),
    }


def _evidence(finding: RecordedFinding) -> str:
    return ", ".join(f"{name}: {_in_words(value)}" for name, value in finding.evidence.items())


def _in_words(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " and ".join(map(_in_words, value)) or "none"
    return str(value)


def _adjustments(line: RecordedLine) -> str:
    return " ".join(
        f"{one.group}-{one.carc}" + (f":{','.join(one.rarc)}" if one.rarc else "") for one in line.adjustments
    )


def _carcs(line: RecordedLine | None) -> set[str]:
    return set() if line is None else {one.carc for one in line.adjustments}


def _names(versions: Mapping[str, str]) -> str:
    return " ".join(f"{name}={version}" for name, version in versions.items())


def _day(timestamp: int) -> str | None:
    """The day of a time in milliseconds; None where there is none, or none that a calendar has."""
    if timestamp <= 0:
        return None
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC).date().isoformat()
    except (OverflowError, ValueError):
        return None


def _more(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
