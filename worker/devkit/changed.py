"""One decision that another claim's event has changed, before and after."""

from __future__ import annotations

from rich.console import Console

from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED
from worker.adjudication.decide import READJUDICATED
from worker.devkit.claims import Event
from worker.devkit.report import STYLES, table
from worker.devkit.tally import Change, Result, Tally, kind_of

BUNDLED = "97"
"""The CARC of what belongs to a Mohs service."""
SETTLED = frozenset({"pay", "partial", "deny"})


def telling_change(tally: Tally) -> Change | None:
    """The last change of a claim that is most worth showing, the same in every run; None when there is none.

    It is one that an event about another claim has made.
    """
    found = [
        change
        for change in tally.changes
        if change.after["revision"] == max(tally.results[change.after["claim_id"]])
        and {change.before["outcome"], change.after["outcome"]} <= SETTLED
        and change.cause["data"]["claim_id"] != change.after["claim_id"]
    ]
    return min(found, key=_dullness, default=None)


def print_change(change: Change, tally: Tally, console: Console) -> None:
    """The claim's lines before and after, and the finding that names the cause."""
    before, after, cause = change
    billed = {line["line"]: line for line in tally.claims[after["claim_id"]]["lines"]}
    was, now = _styled(before["outcome"]), _styled(after["outcome"])
    console.print("\n[bold]A decision that another claim changed[/]")
    console.print(f"{after['claim_id']} was {was}; then {_told(cause)}, and now it is {now}", soft_wrap=True)
    shown = table("line", "code", "before", "after", "")
    for old, new in zip(before["lines"], after["lines"], strict=True):
        code = billed[new["line"]]["procedure"]
        shown.add_row(str(new["line"]), code, _decision(old), _decision(new), _why(new))
    console.print(shown)
    for line in after["lines"]:
        for finding in line["findings"]:
            if finding["rule"] == READJUDICATED:
                evidence = " ".join(f"{name}={value}" for name, value in finding["evidence"].items())
                told = f"finding on line {line['line']}: {READJUDICATED} {evidence}"
                console.print(told, style="dim", markup=False, soft_wrap=True)


def _dullness(change: Change) -> tuple[bool, bool, bool, int, str]:
    before, after, cause = change
    is_reversal = (before["outcome"], after["outcome"]) in {("pay", "deny"), ("deny", "pay")}
    is_bundled = any(one["carc"] == BUNDLED for line in after["lines"] for one in line["adjustments"])
    return (
        kind_of(cause) != "claim", not is_reversal, not is_bundled, len(after["lines"]), after["claim_id"],
    )  # fmt: skip


def _told(cause: Event) -> str:
    """What happened, in a person's words."""
    data = cause["data"]
    claim_id = data["claim_id"]
    if cause["type"] == SUBMITTED and kind_of(cause) != "void":
        codes = ", ".join(dict.fromkeys(line["procedure"] for line in data["lines"]))
        return f"{claim_id} came with {codes}"
    happened = {DOCUMENTED: "got records", EXPIRED: "ran out of time for records", VOIDED: "was voided"}
    return f"{data.get('original_claim_id') or claim_id} {happened.get(cause['type'], 'was voided')}"


def _decision(line: Result) -> str:
    codes = [f"{one['group']}-{one['carc']}" for one in line["adjustments"]]
    return " ".join([_styled(line["decision"]), *codes])


def _why(line: Result) -> str:
    """The reason of the finding that determined the decision."""
    return next((finding["reason"] for finding in line["findings"] if finding["rule"] != READJUDICATED), "")


def _styled(word: str) -> str:
    style = STYLES.get(word)
    return f"[{style}]{word}[/]" if style else word
