"""What is at stake on lines that differ: units allowed and charges billed."""

from __future__ import annotations

from worker.replay.output.report.flow import listed
from worker.replay.output.report.markup import NOTHING, Markup, tag
from worker.replay.output.report.phrases import (
    DECISIONS,
    MINUS,
    WITHHELD,
    WITHHELD_WHY,
    charge,
    dollars,
    number,
    phrases,
)
from worker.replay.output.report.tables import Column, numbers, section, table
from worker.replay.output.summary import Summary
from worker.replay.telling.outcome import Amount, Counts


def amounts(summary: Summary) -> Markup:
    """The section; nothing where no line differs."""
    found = summary.counts.amounts
    words = phrases(summary)
    lines = {before: {after: one.lines for after, one in to.items()} for before, to in found.items()}
    rows, whole = [], Amount()
    for one in listed(lines, list(DECISIONS)):
        amount = found[one.before][one.after]
        whole.add(amount)
        rows.append((_name(one.before), _name(one.after), *_cells(amount)))
    if not rows:
        return NOTHING
    columns = (
        Column(f"Decision, {words.before.lower()}"),
        Column(f"Decision, {words.after.lower()}"),
        *numbers(
            "Lines", f"Units, {words.before.lower()}", f"Units, {words.after.lower()}", "Change", "Billed"
        ),
    )
    rows.append(("All lines that differ", "", *_cells(whole)[:-1], billed(summary.counts)))
    caption = f"Units allowed on lines that differ, and what was billed for them (not paid){words.among}"
    shown = table("amounts-table", caption, columns, rows)
    why = tag("p", f"Without patients' data {WITHHELD_WHY}.") if whole.charge_cents is None else NOTHING
    return section("amounts", "Units and charges affected", shown, why)


def billed(counts: Counts) -> str:
    """The sum of all charges that are shown: no other can be told without telling those that are not."""
    shown = [one.charge_cents for to in counts.amounts.values() for one in to.values()]
    told = [cents for cents in shown if cents is not None]
    if len(told) == len(shown):
        return dollars(sum(told))
    return f"{dollars(sum(told))} and more" if told else WITHHELD


def _name(decision: str) -> str:
    return DECISIONS.get(decision, decision)


def _cells(amount: Amount) -> tuple[str, ...]:
    change = amount.units_after - amount.units_before
    signed = f"{change:+,}".replace("-", MINUS) if change else "0"
    return (
        number(amount.lines),
        number(amount.units_before),
        number(amount.units_after),
        signed,
        charge(amount.charge_cents),
    )
