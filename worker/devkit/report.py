"""The demo's last page: what was decided and why not, in tables for a person."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from rich.console import Console
from rich.table import Table

from worker.devkit.tally import Tally

STYLES = {
    "pay": "green",
    "partial": "yellow",
    "pend": "yellow",
    "deny": "red",
    "out_of_scope": "dim",
    "void": "dim",
}
MEANINGS = {
    "pay": "every line under review is payable",
    "partial": "some lines or units are payable",
    "pend": "a fact is missing that would settle it",
    "deny": "no line under review is payable",
    "out_of_scope": "nothing on it is under review",
    "void": "voided, or replaced by another claim",
}
DENIALS = {
    "4": "a modifier is missing or does not fit",
    "11": "the code is for another region of the body",
    "18": "billed before",
    "50": "not necessary by the payer's policy",
    "97": "part of the Mohs service",
    "107": "an add-on, and its first service is not billed",
    "146": "the diagnosis is unknown or too general to bill",
    "151": "more units than the records or the day allow",
    "226": "the records did not come in time",
    "236": "not payable beside another line (NCCI)",
    "B15": "an add-on, and its first service is not paid",
}
AGAIN = {
    "claim": "another claim of the same day of service came",
    "replacement": "a claim was replaced",
    "void": "a claim was voided",
    "documentation": "records came",
    "expiry": "the time for records ran out",
}
DEAD_LETTERS = {
    "undecodable": "not JSON",
    "contract": "breaks the contract of its event type",
    "unknown_type": "an event type that nobody knows",
    "key_mismatch": "its key is not its member",
    "too_large": "over the size limit",
    "unknown_claim": "about a claim never seen",
    "id_conflict": "an id used twice with different content",
    "internal_error": "a fault in the worker",
}
NUMBERS = frozenset({"claims", "share", "lines", "records", "results"})
"""Columns that hold numbers."""


def print_report(tally: Tally, console: Console) -> None:
    """Outcomes, denied lines by reason code, facts waited for, what was decided again, dead letters."""
    total = tally.outcomes.total()
    outcomes = table("outcome", "claims", "share", "")
    for outcome, count in tally.outcomes.most_common():
        style = STYLES.get(outcome, "")
        outcomes.add_row(
            f"[{style}]{outcome}[/]", str(count), f"{count / total:.0%}", MEANINGS.get(outcome, "")
        )
    _print("Outcomes", outcomes, console)
    denials = Counter({f"{group}-{carc}": count for (group, carc), count in tally.denials.items()})
    words = {f"{group}-{carc}": DENIALS.get(carc, "") for group, carc in tally.denials}
    _print_counts("Denied lines", "code", "lines", denials, words, console)
    _print_counts("Facts that would settle pended claims", "fact", "claims", tally.needed, {}, console)
    _print_counts("Decided again, since", "cause", "results", tally.again, AGAIN, console)
    _print_counts("Dead letters", "reason", "records", tally.dead_letters, DEAD_LETTERS, console)


def table(*columns: str) -> Table:
    """An empty table in the demo's style; a column without a name holds text, which may be long."""
    made = Table(box=None, padding=(0, 2, 0, 0))
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in NUMBERS else "left"
        made.add_column(column, justify=justify, header_style="dim", no_wrap=column != "")
    return made


def _print_counts(
    title: str, what: str, of: str, counts: Counter[str], words: dict[str, str], console: Console
) -> None:
    if not counts:
        return
    shown = table(what, of, "")
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        shown.add_row(name, str(count), words.get(name, ""))
    _print(title, shown, console)


def _print(title: str, shown: Table, console: Console) -> None:
    console.print(f"\n[bold]{title}[/]")
    console.print(shown)
