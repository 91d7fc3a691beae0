"""Checks a replay's folder once more, for ``replay verify``, and tells what came of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from worker.commands.brokers import NOT_READ, answer_or_exit, exit_with, settings_or_exit
from worker.commands.console import listing
from worker.commands.verdicts import telling_verdict
from worker.replay.output.manifest import SUMMARY, FileRead, PartitionRead
from worker.replay.output.report.phrases import some
from worker.replay.output.rereading import reread
from worker.replay.output.signed import check_signatures
from worker.replay.output.verify import (
    BAD,
    Check,
    check_file,
    check_listed,
    check_outputs,
    check_partition,
)
from worker.replay.reading.evidence import EvidenceError
from worker.replay.reading.window import moment
from worker.replay.signatures.keys import read_keys
from worker.replay.signatures.tally import Signatures
from worker.stream.rights.table import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from worker.commands.replay_options import Again
    from worker.replay.output.manifest import Manifest
    from worker.replay.output.verify import State

MATCHES, DIFFERS = 0, 1
STYLES: dict[State, str] = {"matches": "green", "not checked": "yellow"}


def signatures_or_exit(asked: Again) -> Callable[[], Signatures] | None:
    """What begins to count signatures of results, None where nobody asked for that; exit 2 without keys."""
    try:
        since = None if asked.signed_since is None else moment("--signed-since", asked.signed_since).ms
        if asked.signed_by is not None:
            return partial(Signatures, read_keys(asked.signed_by), since)
    except (EvidenceError, ValueError) as error:
        exit_with(str(error), NOT_READ)
    if since is not None:
        exit_with("--signed-since needs --signed-by: the keys that sign since then", NOT_READ)
    return None


def checks_of(
    directory: Path, manifest: Manifest, asked: Again, begun: Callable[[], Signatures] | None
) -> list[Check]:
    """Outputs first, then inputs as the manifest has them, then signatures if ``begun`` counts them."""
    inputs = asked.inputs or asked.bootstrap is not None
    checks = list(check_outputs(directory, manifest))
    if Check("output", SUMMARY, "matches") in checks:  # else it is told, and proves nothing
        checks += check_listed(directory, manifest)
    checks += [check_file(one, asked=inputs) for one in manifest.inputs if isinstance(one, FileRead)]
    parts = [one for one in manifest.inputs if isinstance(one, PartitionRead)]
    read = [one for one in parts if inputs or (begun is not None and one.role == "results")]
    again = {}
    if read:
        settings = settings_or_exit(asked.bootstrap)
        found = answer_or_exit(reread(read, settings, begun), settings, Task.REPLAY)
        again = dict(zip(read, found, strict=True))
    checks += [check_partition(one, again[one].state if one in again else None) for one in parts]
    return checks if begun is None else [*checks, *check_signatures(manifest, again, begun)]


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
