"""``mms-worker explain``: shows a person why a claim was decided as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Annotated, Any

import orjson
from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from worker.adjudication import encode
from worker.adjudication.claim import Claim
from worker.adjudication.decide import READJUDICATED
from worker.adjudication.finding import Finding
from worker.adjudication.held import Standing
from worker.adjudication.result import LineDecision
from worker.adjudication.service import Service
from worker.commands.case import Case, Found, find_cases
from worker.commands.console import literal, screen
from worker.commands.faults import FileError, exit_for, naming, tell
from worker.commands.loading import (
    SHIPPED,
    USUAL_LIMITS,
    EventsFile,
    HistoryLimits,
    ReferenceFiles,
    reference_or_exit,
)
from worker.commands.writing import standard_output

STYLES = {"pay": "green", "deny": "red", "pend": "yellow", "partial": "yellow"}
MARKS = {"met": "✓", "satisfied": "✓", "not_met": "✗", "violated": "✗", "unknown": "?"}
ASCII_MARKS = {"met": "+", "satisfied": "+", "not_met": "-", "violated": "-", "unknown": "?"}


def explain(
    file: EventsFile,
    /,
    *,
    claim: Annotated[str, Parameter(help="The claim to explain.")],
    json: Annotated[bool, Parameter(help="Print the result and its trace as JSON.", negative="")] = False,
    limits: HistoryLimits = USUAL_LIMITS,
    reference_files: ReferenceFiles = SHIPPED,
) -> None:
    """Explain a claim: every rule that was asked, its word, its source, and what is missing.

    It is shown as it stands after all events of the file, decided with the member's other claims, and which
    event its last result comes from. An event of the claim that is rejected is told on standard error. Exit
    code 1 when the file has no event of the claim that could be adjudicated, 2 when something could not be
    read, written or decided by.
    """
    try:
        out = standard_output()
        found = find_cases(file, claim, reference_or_exit(reference_files), limits.limits)
        with naming(out.name):
            for case in found.cases:
                if json:
                    told = orjson.dumps(trace(case), option=orjson.OPT_INDENT_2)
                    out.write(told + b"\n")  # UTF-8 whatever the terminal's encoding: it is JSON
                else:
                    render(case, screen())
            out.flush()
        if not found.cases:
            tell(_nothing(file, found))
    except FileError as error:
        exit_for(error)
    if not found.cases:
        sys.exit(1)


def _nothing(file: str, found: Found) -> str:
    left_out = f" (lines left out that cannot be read: {found.unread})" if found.unread else ""
    return f"mms-worker: {file}: no event of that claim could be adjudicated{left_out}"


def trace(case: Case) -> dict[str, Any]:
    """The last result with, for every line, all that every rule said: what a result leaves out.

    Beside them what became of the claim, and what the last result comes from. A claim that does not count
    has no lines to trace; of one that is not held the trace is null.
    """
    return {
        "result": orjson.loads(encode(case.result)),
        "standing": case.held.standing.name.lower(),
        "evicted": case.is_evicted,
        "changed_by": {"claim": case.event.data.claim_id, "change": case.change},
        "trace": None if case.is_untraceable else [_line_trace(one) for one in case.services],
    }


def _line_trace(service: Service) -> dict[str, Any]:
    return {
        "line": service.line.line,
        "procedure": service.procedure,
        "diagnosis": service.diagnosis or None,
        "lesion": service.lesion,
        "rulings": [
            {
                **orjson.loads(ruling.finding.json),
                "effect": ruling.effect,
                "needed": ruling.needed,
            }
            for ruling in service.rulings
        ],
        "indications": [finding.encoded for finding in service.indications],
    }


def render(case: Case, console: Console) -> None:
    """Print what became of the claim, what its last result comes from, and the trace of every line."""
    result = case.result
    console.print()
    style = STYLES.get(result.outcome, "dim")
    console.print(
        f"Claim [bold]{literal(result.claim_id)}[/]   [{style}]{result.outcome.upper()}[/]", highlight=False
    )
    for told in _circumstances(case):
        console.print(told, style="dim", highlight=False)
    for number, decision in enumerate(result.lines):
        service = case.services[number] if case.services else None
        _render_line(decision, service, console)
    for one in result.documentation_needed:
        lesion = f", lesion {literal(one.lesion)}" if one.lesion else ""
        facts = ", ".join(one.facts)
        console.print(f"\nLine {one.line}{lesion} could be settled by: [yellow]{facts}[/]", highlight=False)


def _circumstances(case: Case) -> list[str]:
    """What a person needs to know before the lines: revision, cause, policies, and whether it counts."""
    result, cause = case.result, case.result.cause
    event = f"event {literal(cause.id)} of {literal(cause.source)}"
    told = [f"revision {result.revision}, since {_occasion(case)} ({event})"]
    if result.supersedes:
        told.append(f"in the place of result {result.supersedes}")
    if result.basis.policies:
        used = ", ".join(f"{name} {version}" for name, version in result.basis.policies.items())
        told.append(f"decided by {used}")
    if case.is_untraceable:
        told.append(
            "It is not held, for want of room in the member's history, so that its trace cannot be shown."
        )
    elif case.is_evicted:
        told.append("It is no longer held: the member's newest claims are too long after it.")
    elif case.held.standing is Standing.SUPERSEDED and case.held.is_lost:
        told.append("It does not count: another replacement of the same claim stands before it.")
    elif case.held.standing is Standing.SUPERSEDED:
        told.append("It does not count any more: a replacement has taken its place.")
    return told


def _occasion(case: Case) -> str:
    """What the event that the last result comes from has done, in words."""
    data = case.event.data
    own = data.claim_id == case.result.claim_id
    name = "it" if own else f"claim {literal(data.claim_id)}"
    if isinstance(data, Claim) and case.change != "claim":
        original = data.original_claim_id or ""
        other = "it" if original == case.result.claim_id else f"claim {literal(original)}"
        return f"{name} was submitted to {'replace' if case.change == 'replacement' else 'void'} {other}"
    return {
        "claim": f"{name} was submitted",
        "void": f"{name} was made void",
        "documentation": f"records of {name} were received",
        "expiry": f"the time for records of {name} has run out",
    }[case.change]


def _render_line(decision: LineDecision, service: Service | None, console: Console) -> None:
    """A line with all that was ruled on it; without a trace, with what its result says."""
    codes = ", ".join(
        "-".join((one.group, one.carc)) + "".join(f" {rarc}" for rarc in one.rarc)
        for one in decision.adjustments
    )
    style = STYLES.get(decision.decision, "dim")
    billed = ""
    if service is not None:
        modifiers = " ".join(service.line.modifiers)
        billed = (
            f"[bold]{service.procedure}[/] {modifiers} x{service.line.units}  {service.line.service_date}  "
        )
    console.print()
    console.print(f"Line {decision.line}  {billed}[{style}]{decision.decision}[/] {codes}", highlight=False)
    if service is None:
        _render_findings(((finding, "") for finding in decision.findings), console)
    else:
        if not service.reviewed:
            console.print("  not under review: no policy speaks of it", style="dim")
        changed = ((finding, "") for finding in decision.findings if finding.rule == READJUDICATED)
        _render_findings(chain(_asked(service), changed), console)


def _asked(service: Service) -> Iterator[tuple[Finding, str]]:
    """Every finding on a line, with how far it is indented."""
    for ruling in service.rulings:
        yield ruling.finding, ""
        if ruling.finding.rule == "necessity.indications":
            yield from ((finding, "  ") for finding in service.indications)


def _render_findings(findings: Iterable[tuple[Finding, str]], console: Console) -> None:
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column(width=1)
    table.add_column("rule", style="cyan", no_wrap=True)
    table.add_column("reason", ratio=1)
    marks = _marks(console.encoding)
    for finding, indent in findings:
        _add_row(table, marks, finding, indent)
    console.print(table)


def _marks(encoding: str) -> dict[str, str]:
    """A mark for every verdict, of characters that the encoding has."""
    try:
        "".join(MARKS.values()).encode(encoding)
    except UnicodeEncodeError:
        return ASCII_MARKS
    return MARKS


def _add_row(table: Table, marks: dict[str, str], finding: Finding, indent: str) -> None:
    seen = [f"{name.replace('_', ' ')} {_shown(value)}" for name, value in finding.evidence.items()]
    source = f"{finding.policy} {finding.version}, {finding.citation}"
    told = f"{escape(finding.reason)} [dim]({literal('; '.join((*seen, source)))})[/]"
    table.add_row(marks[finding.verdict], indent + finding.rule, told)


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " or ".join(map(str, value)) or "none"
    return str(value)
