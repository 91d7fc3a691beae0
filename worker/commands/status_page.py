"""How a stream stands, as a person reads it: 80 columns, the verdict first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from worker.commands.console import literal
from worker.stream.status.group import DEAD
from worker.stream.status.verdict import HEALTHY, ranges

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult

    from worker.stream.status.standing import Digest, Lane, OpenTransaction, Standing, Totals

FOREIGN = "not set aside by this worker"
SHOWN_LANES = 24
"""Of more partitions only those with the most lag are listed, unless all are asked for."""
SHOWN_TRANSACTIONS = 8
ABORT = r"""to abort it: kafka-transactions.sh --bootstrap-server ... abort \
  --topic {0.topic} \
  --partition {0.partition} --start-offset {0.last_stable_offset}"""
"""What Kafka's own tool is told; it finds out the producer by itself."""


class _Trimmed:
    """What it holds, without the spaces to which rich fills up the last column of a table."""

    def __init__(self, whole: RenderableType) -> None:
        self._whole = whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in Segment.split_lines(console.render(self._whole, options)):
            while line and not line[-1].text.rstrip():
                line.pop()
            if line:
                line[-1] = line[-1]._replace(text=line[-1].text.rstrip())
            yield from line
            yield Segment.line()


def page(standing: Standing, *, all_partitions: bool) -> RenderableType:
    """All of it, as rich draws it."""
    return _Trimmed(Group(*_parts(standing, all_partitions=all_partitions)))


def _parts(standing: Standing, *, all_partitions: bool) -> Iterator[RenderableType]:
    yield from _verdict(standing)
    yield Text()
    yield from _workers(standing)
    yield Text()
    yield from _lanes(standing, all_partitions=all_partitions)
    if standing.open_transactions:
        yield Text()
        yield from _open(standing.open_transactions)
    yield Text()
    yield from _digests(standing.digests, standing.at)
    if standing.dead_letters is not None:
        yield Text()
        yield from _letters(standing)


def _verdict(standing: Standing) -> Iterator[RenderableType]:
    totals = standing.totals
    if standing.verdict == HEALTHY:
        yield Text.assemble(("HEALTHY", "bold green"), f"  as of {_moment(standing.at)}")
    else:
        yield Text.assemble(("NEEDS A LOOK", "bold red"), f"  as of {_moment(standing.at)}")
        for finding in standing.findings:
            yield Text(f"  - {_plain(finding.text)}", "red")
    oldest = f", the oldest waits for {_span(totals.lag_seconds)}" if totals.lag_seconds else ""
    yield Text(
        f"lag {totals.lag_records:,} records{oldest}; last commit {_ago(totals.last_commit, standing.at)}"
    )
    if totals.blocked_records:
        yield Text(f"not readable, in open transactions or behind them: {totals.blocked_records:,}", "yellow")


def _workers(standing: Standing) -> Iterator[RenderableType]:
    count = len(standing.workers)
    state = "none yet" if standing.group_state == DEAD else standing.group_state
    yield Text(f"Group {standing.group}: {state}, {_some(count, 'worker', 'workers')}", "bold")
    if not count:
        return
    table = _table("worker>", "id", "host", "holds>", "partitions")
    for name, worker in enumerate(standing.workers, 1):
        held = worker.partitions
        id_ = worker.consumer_id.removeprefix(f"{worker.client_id}-")
        shown = ", ".join(ranges(held))
        table.add_row(str(name), literal(id_[:8]), literal(worker.host), str(len(held)), shown)
    yield table


def _lanes(standing: Standing, *, all_partitions: bool) -> Iterator[RenderableType]:
    names = {worker.consumer_id: str(name) for name, worker in enumerate(standing.workers, 1)}
    lanes = list(standing.partitions)
    if len(lanes) > SHOWN_LANES and not all_partitions:
        worst = sorted(lanes, key=_weight, reverse=True)[:SHOWN_LANES]
        lanes = sorted(worst, key=lambda lane: lane.partition)
    table = _table("partition>", "worker>", "committed>", "end>", "lag>", "oldest>", "last commit>")
    for lane in lanes:
        committed = "none" if lane.committed_offset is None else f"{lane.committed_offset:,}"
        table.add_row(
            str(lane.partition),
            names.get(lane.owner or "", "none"),
            committed,
            f"{lane.end_offset:,}",
            f"{lane.lag_records:,}",
            _waits(lane),
            _ago(lane.last_commit, standing.at),
            style="yellow" if lane.lag_records else None,
        )
    totals = standing.totals
    table.add_row(
        "together", f"{len(names)}", "", "", f"{totals.lag_records:,}", _waits(totals),
        _ago(totals.last_commit, standing.at), style="bold",
    )  # fmt: skip
    yield table
    if left := totals.partitions - len(lanes):
        yield Text(f"{left:,} partitions with less lag are not listed; --all lists them", "dim")


def _weight(lane: Lane) -> tuple[bool, float, int]:
    return lane.owner is None, lane.lag_seconds or 0.0, lane.lag_records


def _waits(lane: Lane | Totals) -> str:
    return _span(lane.lag_seconds) if lane.lag_records else "-"


def _open(transactions: Sequence[OpenTransaction]) -> Iterator[RenderableType]:
    gravest = sorted(transactions, key=lambda one: (one.hangs, one.seconds or 0.0), reverse=True)
    first = gravest[:SHOWN_TRANSACTIONS]
    yield Text("Open transactions", "bold")
    table = _table("partition>", "topic", "open for>", "behind it>", "")
    for one in first:
        behind = one.high_watermark - one.last_stable_offset
        seconds = "unknown" if one.seconds is None else _span(one.seconds)
        hangs = "HANGS" if one.hangs else ""
        table.add_row(str(one.partition), literal(one.topic), seconds, f"{behind:,}", hangs)
    yield table
    if left := len(transactions) - len(first):
        yield Text(f"and {left:,} more", "dim")
    if any(one.seconds is None and not one.hangs for one in first):
        yield Text("unknown: who may describe the transactional id is told, by Kafka from 3.0 on", "dim")
    for one in first:
        if one.hangs:
            yield Text(ABORT.format(one), no_wrap=True, overflow="ignore")


def _digests(digests: Sequence[Digest], now: float) -> Iterator[RenderableType]:
    yield Text("Digests of the last results", "bold")
    if not digests:
        yield Text("none yet")
    for one in digests:
        when = "live" if one.live else "quiet"
        partitions = _some(len(one.partitions), "partition", "partitions")
        yield Text(f"{one.digest[:19]}  {when}, {partitions}, last result {_ago(one.last_result, now)}")
        for line in (f"engine {one.engine}, {_versions(one.policies)}", _versions(one.code_sets)):
            yield Padding(Text(line, "dim"), (0, 0, 0, 2), expand=False)


def _versions(of: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in of.items()) or "nothing in force"


def _letters(standing: Standing) -> Iterator[RenderableType]:
    totals = standing.totals
    yield Text("Dead letters", "bold")
    if not standing.dead_letters:
        yield Text("none")
        return
    table = _table("reason", "letters>", "redriven>")
    for one in standing.dead_letters:
        table.add_row(literal(one.reason or FOREIGN), f"{one.letters:,}", f"{one.redriven:,}")
    table.add_row("together", f"{totals.dead_letters:,}", f"{totals.redriven:,}", style="bold")
    yield table


def _table(*heads: str) -> Table:
    """A table of these columns; one that ends in ``>`` holds numbers."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for head in heads:
        justify: JustifyMethod = "right" if head.endswith(">") else "left"
        table.add_column(head.removesuffix(">"), overflow="fold", justify=justify)
    return table


def _some(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _moment(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _ago(time: float | None, now: float) -> str:
    return "none" if time is None else f"{_span(max(0.0, now - time))} ago"


def _span(seconds: float | None) -> str:
    """A time in its two largest units at most: ``4 s``, ``3 min``, ``5 h 20 min``, ``12 d``."""
    if seconds is None:
        return "unknown"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440:,} d"
