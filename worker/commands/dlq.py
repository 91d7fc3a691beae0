"""``mms-worker dlq``: dead letters, to look at and to send to the input topic once more."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import orjson
from cyclopts import App, Parameter
from cyclopts.validators import Number

from worker.adjudication.decode import Reason
from worker.commands.brokers import (
    NOT_READ,
    Bootstrap,
    answer_or_exit,
    exit_with,
    settings_or_exit,
    telling,
)
from worker.commands.console import listing, screen
from worker.commands.faults import naming

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import Token

    from worker.settings import Settings
    from worker.stream.redrive.selection import Selection
    from worker.stream.redrive.sending import Outcome

app = App(name="dlq", help="Look at dead letters, and send them to the input topic once more.")

NOT_DONE = 1
"""Exit code where what was asked for does not exist, or not all of it was done."""

FENCED = (
    "another redrive has come to it, or this one stood still for longer than MMS_TRANSACTION_TIMEOUT_S; run "
    "it again: without --again nothing is sent twice"
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Json = Annotated[bool, Parameter(help="Print JSON.", negative="")]


def _moment(_: type, tokens: Sequence[Token]) -> datetime:
    (token,) = tokens
    if not re.match(r"\d{4}-\d{2}-\d{2}", token.value):
        raise ValueError("a time is written as in 2026-05-04T10:30:00Z or 2026-05-04")
    moment = datetime.fromisoformat(token.value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


NotNegative = Parameter(validator=Number(gte=0))
Several = Parameter(negative="", show_default=False)
Moment = Parameter(converter=_moment, n_tokens=1)


@Parameter(name="*")
@dataclass(frozen=True)
class Filters:
    """Which dead letters are meant; without any, all that there are."""

    reason: Annotated[
        tuple[Reason, ...], Several, Parameter(help="Those with this reason; may be given again.")
    ] = ()
    partition: Annotated[
        tuple[int, ...], NotNegative, Several, Parameter(help="Those on this partition; may be given again.")
    ] = ()
    offset: Annotated[
        tuple[int, ...],
        NotNegative,
        Several,
        Parameter(help="The one with this offset in the dead-letter topic; may be given again."),
    ] = ()
    from_offset: Annotated[
        int | None, NotNegative, Parameter(help="Those from this offset in that topic on, with it.")
    ] = None
    to_offset: Annotated[
        int | None, NotNegative, Parameter(help="Those before this offset in that topic, without it.")
    ] = None
    from_time: Annotated[
        datetime | None,
        Moment,
        Parameter(name="--from", help="Those from this time on, with it: ISO 8601, UTC unless it says so."),
    ] = None
    to_time: Annotated[
        datetime | None, Moment, Parameter(name="--to", help="Those before this time, without it.")
    ] = None

    def selection_or_exit(self) -> Selection:
        """The same, as dead letters are told by; exit 2 where the filters do not go together."""
        from worker.stream.redrive.selection import Selection

        offsets = self.offset or self.from_offset is not None or self.to_offset is not None
        if offsets and len(set(self.partition)) != 1:
            exit_with(
                "--offset, --from-offset and --to-offset need one --partition: each counts its own", NOT_READ
            )
        return Selection(
            reasons=frozenset(self.reason),
            partitions=frozenset(self.partition),
            offsets=frozenset(self.offset),
            from_offset=self.from_offset,
            to_offset=self.to_offset,
            from_ms=_ms(self.from_time),
            to_ms=_ms(self.to_time),
        )


EVERYTHING = Filters()


def _ms(moment: datetime | None) -> int | None:
    """The first whole millisecond that is not before it: records have no finer time."""
    return None if moment is None else -((EPOCH - moment) // timedelta(milliseconds=1))


@app.command(name="list")
def list_letters(*, filters: Filters = EVERYTHING, bootstrap: Bootstrap = None, json: Json = False) -> None:
    """List dead letters: where they are, when their records were sent, why they are here, whether redriven.

    Shows nothing of what a record holds. A dead letter has the timestamp of the record that came in; --from
    and --to are about that. What is counted from is inclusive, what is counted to is not. Exit code 0, also
    when there are none; 2 when the brokers or topics cannot be read, or the filters do not go together.
    """
    with telling() as out:
        settings, selection = settings_or_exit(bootstrap), filters.selection_or_exit()

        from worker.commands.letter_pages import render_list
        from worker.commands.letters import listed
        from worker.stream.rights.table import Task

        rows = answer_or_exit(listed(settings, selection), settings, Task.LETTERS)
        with naming(out.name):
            if json:
                for row in rows:
                    out.write(orjson.dumps(row) + b"\n")
            else:
                render_list(rows, settings.dead_letter_topic, listing())


@app.command
def show(
    partition: Annotated[int, NotNegative],
    offset: Annotated[int, NotNegative],
    /,
    *,
    with_phi: Annotated[
        bool,
        Parameter(negative="", help="Show the record's key, value and headers too. THEY ARE PHI."),
    ] = False,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """Show one dead letter: why it is here, where it came from, how large its parts are.

    Key, value and the values of the producer's own headers are PHI, and are shown with --with-phi alone. A
    value that is sealed is opened for that, with the keys in MMS_SEALING_KEYS_DIR. Exit code 1 when there is
    no record at that offset, 2 when the brokers, the topics or a sealed value cannot be read.
    """
    with telling() as out:
        settings = settings_or_exit(bootstrap)

        from worker.commands.letter_pages import render_letter
        from worker.commands.letters import shown
        from worker.stream.rights.table import Task

        work = shown(settings, partition, offset, with_phi=with_phi)
        told = answer_or_exit(work, settings, Task.LETTERS)
        if told is None:
            place = f"partition {partition} of {settings.dead_letter_topic}"
            exit_with(f"{place} has no record at offset {offset}; see mms-worker dlq list", NOT_DONE)
        with naming(out.name):
            if json:
                out.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
            else:
                render_letter(told, screen())


@app.command
def redrive(
    *,
    filters: Filters = EVERYTHING,
    execute: Annotated[
        bool, Parameter(negative="", help="Send them; without it is only said what would be sent.")
    ] = False,
    again: Annotated[
        bool, Parameter(negative="", help="Send also those that were redriven before, each time it is run.")
    ] = False,
    bootstrap: Bootstrap = None,
) -> None:
    """Send dead letters to the input topic once more; without --execute only say what would be sent.

    Each goes to the partition that its record came in on, with the record's key, value and headers byte for
    byte, behind them a header mms.redrive that says which dead letter it was, and the time of now. Each is
    sent once, however often this is interrupted and run again: what was sent is noted, in the transaction
    that sends it, in a topic named like that of the dead letters with .redriven behind; --execute makes it.
    Values that are sealed are opened with the keys in MMS_SEALING_KEYS_DIR, and sent as they came in.
    Where two meet on a partition, the one that came there first ends with exit code 1. Filters are those of
    list. Exit code 1 also when some of the letters cannot be sent, 2 when settings, brokers or topics do not
    allow it; what was sent is told, and the same command goes on behind it.
    """
    with telling():
        settings, selection = settings_or_exit(bootstrap), filters.selection_or_exit()

        from worker.commands.letter_pages import render_outcomes
        from worker.stream.errors import Fenced
        from worker.stream.rights.table import Task

        outcomes: list[Outcome] = []
        work = _redrive(settings, selection, outcomes, execute=execute, again=again)
        try:
            answer_or_exit(work, settings, Task.REDRIVE)
        except Fenced as fenced:
            exit_with(f"{fenced}: {FENCED}", NOT_DONE)
        finally:
            if outcomes:
                render_outcomes(outcomes, settings, listing(), executed=execute)
        if any(outcome.left for outcome in outcomes):
            sys.exit(NOT_DONE)


async def _redrive(
    settings: Settings, selection: Selection, outcomes: list[Outcome], *, execute: bool, again: bool
) -> None:
    """Redrive partition by partition; how far it has come is in ``outcomes`` at any time."""
    from worker.stream.records import read_raw_names
    from worker.stream.redrive import sending
    from worker.stream.redrive.places import ready_places

    read_raw_names()
    asked = sending.Redrive(settings, selection, again, lambda: datetime.now(UTC))
    places = await ready_places(settings, selection, execute=execute)
    for partition in places.partitions:
        outcomes.append(sending.Outcome(partition))
        if execute:
            await sending.execute(asked, outcomes[-1])
        else:
            await sending.plan(asked, outcomes[-1], has_ledger=places.has_ledger(partition))
