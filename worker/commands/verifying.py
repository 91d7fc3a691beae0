"""What a person is told of a replay's folder that was checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from worker.commands.console import listing
from worker.commands.verdicts import telling_verdict
from worker.replay.output.report.phrases import some
from worker.replay.output.verify import BAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.replay.output.verify import Check, State

MATCHES, DIFFERS = 0, 1
STYLES: dict[State, str] = {"matches": "green", "not checked": "yellow"}


def verdict(checks: Sequence[Check], manifest_sha256: str) -> int:
    """Print a row a check and the verdict; returns the exit code, whether or not anybody reads it."""
    bad = [check for check in checks if check.state in BAD]
    with telling_verdict():
        _tell(checks, bad, manifest_sha256)
    return DIFFERS if bad else MATCHES


def _tell(checks: Sequence[Check], bad: Sequence[Check], manifest_sha256: str) -> None:
    screen = listing()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("role", "what", "state", ""):
        table.add_column(head, overflow="fold")
    for check in checks:
        style = STYLES.get(check.state, "red")
        table.add_row(check.role, escape(check.name), f"[{style}]{check.state}[/]", escape(check.why))
    screen.print(table)
    screen.print(f"manifest SHA-256 {manifest_sha256}", highlight=False, soft_wrap=True)
    left = sum(check.state == "not checked" for check in checks)
    also = f"; {some(left, 'input was', 'inputs were')} not checked" if left else ""
    if bad:
        does = "does" if len(bad) == 1 else "do"
        screen.print(f"[bold red]not verified[/]: {len(bad)} of {len(checks)} {does} not match{also}")
    else:
        matches = "matches" if len(checks) - left == 1 else "match"
        screen.print(f"[bold green]verified[/]: {len(checks) - left} of {len(checks)} {matches}{also}")
