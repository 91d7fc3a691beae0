"""What a person is told of a replay's folder that was checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from worker.commands.console import listing
from worker.replay.verify import BAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.replay.verify import Check, State

MATCHES, DIFFERS = 0, 1
STYLES: dict[State, str] = {"matches": "green", "not checked": "yellow"}


def verdict(checks: Sequence[Check], manifest_sha256: str) -> int:
    """Print a row a check and the verdict; returns the exit code."""
    screen = listing()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("role", "what", "state", ""):
        table.add_column(head, overflow="fold")
    for check in checks:
        style = STYLES.get(check.state, "red")
        table.add_row(check.role, escape(check.name), f"[{style}]{check.state}[/]", escape(check.why))
    screen.print(table)
    screen.print(f"manifest SHA-256 {manifest_sha256}", highlight=False, soft_wrap=True)
    bad = [check for check in checks if check.state in BAD]
    left = sum(check.state == "not checked" for check in checks)
    also = f"; {left} inputs were not checked" if left else ""
    if bad:
        screen.print(f"[bold red]not verified[/]: {len(bad)} of {len(checks)} do not match{also}")
        return DIFFERS
    screen.print(f"[bold green]verified[/]: {len(checks) - left} of {len(checks)} match{also}")
    return MATCHES
