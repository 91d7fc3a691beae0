"""Dead letters and their redrive as a person reads them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from worker.commands.console import literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, JustifyMethod

    from worker.settings import Settings
    from worker.stream.redrive.sending import Outcome

FOREIGN = "not set aside by this worker"


def render_list(rows: Sequence[dict[str, Any]], topic: str, console: Console) -> None:
    """Print the dead letters and, at the end, how many there are of each reason."""
    if not rows:
        console.print(f"No such dead letters in {topic}.", highlight=False)
        return
    table = _table("partition>", "offset>", "time", "reason", "path", "came from", "redriven")
    for row in rows:
        source = f"{row['source_partition']}/{row['source_offset']}" if row["reason"] else ""
        told = (row["reason"] or FOREIGN, row["path"] or "", source, _short(row["redriven"]))
        table.add_row(str(row["partition"]), str(row["offset"]), _short(row["time"]), *map(literal, told))
    console.print(table)
    console.print()
    console.print(_summary(rows))


def _summary(rows: Sequence[dict[str, Any]]) -> Table:
    table = _table("reason", "letters>", "redriven>")
    letters = Counter(row["reason"] or FOREIGN for row in rows)
    redriven = Counter(row["reason"] or FOREIGN for row in rows if row["redriven"])
    for reason, count in sorted(letters.items()):
        table.add_row(literal(reason), f"{count:,}", f"{redriven[reason]:,}")
    table.add_row("together", f"{letters.total():,}", f"{redriven.total():,}", style="bold")
    return table


def _short(time: str | None) -> str:
    """A time to the second: a row has little room."""
    return time.replace("T", " ")[:19] + "Z" if time and time.endswith("Z") else time or ""


def _table(*heads: str) -> Table:
    """A table of these columns; one that ends in ``>`` holds numbers."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        justify: JustifyMethod = "right" if head.endswith(">") else "left"
        table.add_column(head.removesuffix(">"), overflow="fold", justify=justify)
    return table


def render_letter(told: dict[str, Any], console: Console) -> None:
    """Print one dead letter."""

    def say(text: str, style: str | None = None) -> None:
        console.print(text, style=style, highlight=False, soft_wrap=True)

    is_closed = told["sealed_with"] and "value" not in told
    if "notice" in told:
        say(told["notice"] + "\n", "bold red")
    say(f"Dead letter [bold]{told['offset']}[/] of partition {told['partition']} of {literal(told['topic'])}")
    for name, text in _lines(told):
        say(f"  {name:<10} {literal(text)}")
    say("\nThe record as it came in" + (", its value sealed" if is_closed else ""))
    for part in ("key", "value"):
        say(f"  {part}: {_part(told[f'{part}_bytes'], told.get(part))}")
    for header in told["headers"]:
        say(f"  header {literal(header['name'])}: {_part(header['bytes'], header.get('value'))}")


def _lines(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "time", told["time"]
    if told["reason"] is None:
        yield "reason", f"none: {told['fault']}"
    else:
        yield "reason", told["reason"]
        yield "path", told["path"]
        yield "message", told["message"]
        yield "exception", told["exception"]
        source = f"offset {told['source_offset']} of partition {told['source_partition']}"
        yield "came from", f"{source} of {told['source_topic']}"
        if told["fault"]:
            yield "fault", f"it cannot be redriven: {told['fault']}"
    for origin in told["redriven_from"]:
        yield "was before", origin
    yield "redriven", told["redriven"] or "not yet"
    if told["sealed_with"]:
        yield "sealed", f"with key {told['sealed_with']}, in the topic; key and headers are not"


def _part(size: int | None, content: dict[str, str] | None) -> str:
    if size is None:
        return "null"
    if content is None:
        return f"{size:,} bytes"
    ((form, text),) = content.items()
    return literal(text) if form == "text" else f"(base64) {escape(text)}"


def render_outcomes(
    outcomes: Sequence[Outcome], settings: Settings, console: Console, *, executed: bool
) -> None:
    """Print what a redrive has come to, or would come to."""

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    count = sum(outcome.delivered.total() for outcome in outcomes)
    size = sum(outcome.bytes for outcome in outcomes)
    verb = "sent" if executed else "would be sent"
    letters = "dead letter" if count == 1 else "dead letters"
    say(f"{count:,} {letters} {verb} to {settings.input_topic}, {size:,} bytes")
    if count:
        table = _table("to partition>", "letters>", "reason")
        for outcome in outcomes:
            for reason, times in sorted(outcome.delivered.items()):
                table.add_row(str(outcome.partition), f"{times:,}", literal(reason))
        console.print(table)
    if before := sum(outcome.before for outcome in outcomes):
        say(f"redriven before and left: {before:,}; --again sends them once more")
    for left in [left for outcome in outcomes for left in outcome.left]:
        say(f"left: partition {left.partition} offset {left.offset}: {literal(left.why)}")
    if not executed:
        say("Nothing was sent: this was a dry run. The same command with --execute sends them.")
