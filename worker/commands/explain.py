"""``mms-worker explain``: shows a person why a claim was decided as it was."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from itertools import chain
from typing import Annotated, Any

import orjson
from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from worker.adjudication import Reference, Rejected, Result, Ruled, adjudicate, decode, encode, rule
from worker.adjudication.claim import Claim
from worker.adjudication.finding import Finding
from worker.adjudication.service import Service
from worker.commands.console import Output
from worker.commands.faults import FileError, exit_for, naming, tell
from worker.commands.loading import CodesDir, EventsFile, Payers, PoliciesDir, reference_or_exit
from worker.commands.reading import reading
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
    policies_dir: PoliciesDir = None,
    codes_dir: CodesDir = None,
    payers: Payers = None,
) -> None:
    """Explain a claim: every rule that was asked, its word, its source, and what is missing.

    An event of the claim that is rejected is told on standard error. Exit code 1 when the file has no event
    of the claim that could be adjudicated, 2 when something could not be read, written or decided by.
    """
    try:
        out = standard_output()
        reference = reference_or_exit(policies_dir, codes_dir, payers)
        rulings, unread = _rulings_on(file, claim, reference)
        with naming(out.name):
            for ruled in rulings:
                if json:
                    told = orjson.dumps(trace(ruled, reference), option=orjson.OPT_INDENT_2)
                    out.write(told + b"\n")  # UTF-8 whatever the terminal's encoding: it is JSON
                else:
                    render(ruled, reference, _screen())
            out.flush()
        if not rulings:
            left_out = f" (lines left out that cannot be read: {unread})" if unread else ""
            tell(f"mms-worker: {file}: no event of that claim could be adjudicated{left_out}")
    except FileError as error:
        exit_for(error)
    if not rulings:
        sys.exit(1)


def _screen() -> Output:
    """Standard output for people; what its encoding lacks is written as an escape."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return Output()


def _rulings_on(file: str, claim_id: str, reference: Reference) -> tuple[list[Ruled], int]:
    """Every submission of the claim in the file, ruled on, and how many lines could be any claim's.

    A submission that is rejected is told on standard error.
    """
    found, unread = [], 0
    with reading(file) as source:
        for number, line in chain.from_iterable(source.batches(1)):
            event = decode(line.rstrip(b"\r\n"))
            if isinstance(event, Rejected):
                unread += bool(line.strip())
            elif event.data.claim_id == claim_id:
                ruled = rule(event, reference, traced=True)
                if isinstance(ruled, Ruled):
                    found.append(ruled)
                else:
                    tell(f"line {number}: {ruled.reason} at {ruled.path}: {ruled.message}")
    return found, unread


def trace(ruled: Ruled, reference: Reference) -> dict[str, Any]:
    """The result with, for every line, all that every rule said: what a result leaves out."""
    return {
        "result": orjson.loads(encode(_result(ruled, reference))),
        "trace": [
            {
                "line": service.line.line,
                "procedure": service.procedure,
                "diagnosis": service.diagnosis or None,
                "lesion": service.lesion,
                "rulings": [
                    {
                        **orjson.loads(orjson.dumps(ruling.finding.encoded)),
                        "effect": ruling.effect,
                        "needed": ruling.needed,
                    }
                    for ruling in service.rulings
                ],
                "indications": [finding.encoded for finding in service.indications],
            }
            for service in ruled.services
        ],
    }


def _result(ruled: Ruled, reference: Reference) -> Result:
    result = adjudicate(ruled.event, reference)
    if isinstance(result, Rejected):
        raise TypeError("a claim that was ruled on has a result")
    return result


def render(ruled: Ruled, reference: Reference, console: Console) -> None:
    """Print the claim's decision and the trace of every line."""
    result = _result(ruled, reference)
    claim: Claim = ruled.claim
    console.print()
    style = STYLES.get(result.outcome, "dim")
    console.print(
        f"Claim [bold]{_literal(claim.claim_id)}[/]   [{style}]{result.outcome.upper()}[/]", highlight=False
    )
    used = ", ".join(f"{name} {version}" for name, version in result.basis.policies.items())
    console.print(f"decided by {used}", style="dim", highlight=False)
    for service, decision in zip(ruled.services, result.lines, strict=True):
        codes = ", ".join(
            "-".join((one.group, one.carc)) + "".join(f" {rarc}" for rarc in one.rarc)
            for one in decision.adjustments
        )
        style = STYLES.get(decision.decision, "dim")
        console.print()
        console.print(
            f"Line {decision.line}  [bold]{service.procedure}[/] {' '.join(service.line.modifiers)}"
            f" x{service.line.units}  {service.line.service_date}"
            f"  [{style}]{decision.decision}[/] {codes}",
            highlight=False,
        )
        _render_rulings(service, console)
    for one in result.documentation_needed:
        lesion = f", lesion {_literal(one.lesion)}" if one.lesion else ""
        facts = ", ".join(one.facts)
        console.print(f"\nLine {one.line}{lesion} could be settled by: [yellow]{facts}[/]", highlight=False)


def _literal(id_: str) -> str:
    """An id as it is, whatever it holds: no markup, and nothing that a terminal would obey."""
    return escape("".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in id_))


def _render_rulings(service: Service, console: Console) -> None:
    if not service.reviewed:
        console.print("  not under review: no policy speaks of it", style="dim")
        return
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column(width=1)
    table.add_column("rule", style="cyan", no_wrap=True)
    table.add_column("reason", ratio=1)
    marks = _marks(console.encoding)
    for ruling in service.rulings:
        _add_row(table, marks, ruling.finding)
        if ruling.finding.rule == "necessity.indications":
            for finding in service.indications:
                _add_row(table, marks, finding, indent="  ")
    console.print(table)


def _marks(encoding: str) -> dict[str, str]:
    """A mark for every verdict, of characters that the encoding has."""
    try:
        "".join(MARKS.values()).encode(encoding)
    except UnicodeEncodeError:
        return ASCII_MARKS
    return MARKS


def _add_row(table: Table, marks: dict[str, str], finding: Finding, indent: str = "") -> None:
    seen = [f"{name.replace('_', ' ')} {_shown(value)}" for name, value in finding.evidence.items()]
    source = f"{finding.policy} {finding.version}, {finding.citation}"
    told = f"{escape(finding.reason)} [dim]({_literal('; '.join((*seen, source)))})[/]"
    table.add_row(marks[finding.verdict], indent + finding.rule, told)


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " or ".join(map(str, value)) or "none"
    return str(value)
