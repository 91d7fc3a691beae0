"""Lines of a claim on both sides: decision, reason codes, what is asked for, and every finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from worker.replay.output.report.markup import NOTHING, Markup, joined, tag
from worker.replay.output.report.phrases import DASH, DECISIONS, MINUS, some
from worker.replay.telling.differences import ShownFinding, ShownLine

EXPLAINED = 8
"""Rows of a claim whose findings are shown; a claim of fifty lines that all differ is for the tables."""
VERDICTS = {
    "met": "✓ met",
    "satisfied": "✓ satisfied",
    "not_met": "✗ not met",
    "violated": "✗ violated",
    "unknown": "? unknown",
}

Lines: TypeAlias = Mapping[int, ShownLine] | None
"""Lines by number; None where there is no result."""
Sides: TypeAlias = tuple[Markup, Markup]
"""What is told of a line, before and after."""
_SAME = Markup("The same on both sides")


def line_rows(before: Lines, after: Lines, with_phi: bool) -> Iterator[Markup]:
    """Rows of the table, those that differ first; lines that read alike share a row."""
    differing: dict[Sides, list[int]] = {}
    alike: dict[Sides, list[int]] = {}
    brief: dict[Sides, list[int]] = {}
    for line in sorted({*(before or ()), *(after or ())}):
        sides = (before or {}).get(line), (after or {}).get(line)
        if all(side is not None and not side.differs for side in sides):
            alike.setdefault(_cells(*sides, with_phi), []).append(line)
        elif (cells := _cells(*sides, with_phi)) in differing or len(differing) < EXPLAINED:
            differing.setdefault(cells, []).append(line)
        else:
            brief.setdefault((_decided(sides[0]), _decided(sides[1])), []).append(line)
    yield from _rows(differing, "differs")
    yield from _rows(brief, "differs; the rules are in the tables")
    yield from _rows(dict(list(alike.items())[:EXPLAINED]), "")
    if left := sorted(line for lines in list(alike.values())[EXPLAINED:] for line in lines):
        yield both_sides(numbered(left), _SAME, _SAME, "")


def both_sides(name: str, before: str, after: str, mark: str) -> Markup:
    """A row of both sides, with a mark if it has one; what reads the same on both is said once."""
    header = tag("th", name, " ", tag("em", mark) if mark else NOTHING, scope="row")
    cells = [tag("td", before, colspan=2)] if before == after else [tag("td", before), tag("td", after)]
    return tag("tr", header, *cells, class_="differs" if mark else None)


def numbered(lines: Sequence[int]) -> str:
    """``Line 3``, ``Lines 1, 4 to 9`` with a dash: for lines in order."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    told = ", ".join(str(first) if first == last else f"{first}{DASH}{last}" for first, last in runs)
    return f"Line {told}" if len(lines) == 1 else f"Lines {told}"


def _rows(lines: Mapping[Sides, Sequence[int]], mark: str) -> Iterator[Markup]:
    return (both_sides(numbered(those), *cells, mark) for cells, those in lines.items())


def _cells(before: ShownLine | None, after: ShownLine | None, with_phi: bool) -> Sides:
    return _cell(before, after, MINUS, with_phi), _cell(after, before, "+", with_phi)


def _cell(side: ShownLine | None, other: ShownLine | None, mark: str, with_phi: bool) -> Markup:
    if side is None:
        return _decided(side)
    known = other.findings if other is not None else side.findings
    findings = (_finding(one, "" if _stands(one, known) else mark, with_phi) for one in side.findings)
    billed = tag("p", f"Billed: {side.billed}") if with_phi and side.billed is not None else NOTHING
    asked = tag("p", f"Asks for: {side.asked}") if side.asked else NOTHING
    listed = tag("ul", *findings) if side.findings else NOTHING
    return joined([_decided(side), billed, asked, listed])


def _decided(side: ShownLine | None) -> Markup:
    """A line's decision, units and reason codes."""
    if side is None:
        return tag("p", "No such line", class_="none")
    units = f", {some(side.units_allowed, 'unit')}" if side.units_allowed is not None else ""
    codes = f" {side.adjustments}" if side.adjustments else ""
    return tag("p", tag("b", DECISIONS.get(side.decision, side.decision)), f"{units}{codes}")


def _stands(finding: ShownFinding, others: Iterable[ShownFinding]) -> bool:
    """Whether the other side says the same of the line, by the same version."""
    return any(
        (finding.rule, finding.verdict, finding.policy, finding.version)
        == (one.rule, one.verdict, one.policy, one.version)
        for one in others
    )


def _finding(finding: ShownFinding, mark: str, with_phi: bool) -> Markup:
    source = f"{finding.policy} {finding.version}: {finding.citation}"
    told = [
        tag("code", finding.rule),
        f" {VERDICTS.get(finding.verdict, finding.verdict)}",
        tag("small", source),
    ]
    if with_phi and finding.reason is not None:
        told.append(tag("span", finding.reason))
    if with_phi and finding.evidence is not None:
        told.append(tag("small", finding.evidence))
    return tag("li", tag("b", mark) if mark else NOTHING, *told, class_="only" if mark else None)
