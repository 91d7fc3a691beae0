"""``mms-worker history``: what the worker holds of a member, for support people. What it prints is PHI."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import orjson
from cyclopts import App, Parameter
from msgspec import DecodeError

from worker.adjudication import stored
from worker.adjudication.held import Held, Standing
from worker.adjudication.history import events_digest
from worker.adjudication.kept import unpack
from worker.adjudication.redacted import redacted
from worker.commands.brokers import (
    NOT_READ,
    Bootstrap,
    answer_or_exit,
    exit_with,
    settings_or_exit,
    telling,
)
from worker.commands.console import NOTICE, literal, screen
from worker.commands.faults import naming

if TYPE_CHECKING:
    from rich.console import Console

    from worker.settings import Settings

app = App(name="history", help="Show what is held of a member. What it prints is PHI.")

NOT_FOUND = 1
STYLES = {"pay": "green", "deny": "red", "pend": "yellow", "partial": "yellow"}
COUNTS_AS = {
    Standing.STANDS: "in force",
    Standing.SUPERSEDED: "superseded by a replacement",
    Standing.VOIDED: "void",
    Standing.UNHELD: "in force, not held for want of room: its days of service pend",
}


@redacted
class Found(NamedTuple):
    """A member's stored history and where it lies."""

    state: bytes
    topic: str
    partition: int
    sealed_with: str | None = None
    """Id of the key that it is sealed with in the topic; None where it is not."""


@app.command
def show(
    member: Annotated[str, Parameter(help="The member's id.")],
    /,
    *,
    bootstrap: Bootstrap = None,
    json: Annotated[bool, Parameter(help="Print JSON.", negative="")] = False,
) -> None:
    """Show the claims that are held of a member, with their dates and latest decisions. THIS SHOWS PHI.

    Reads the changelog of member histories, and nothing is changed. How to reach the brokers, and the name of
    the topic, are settings of the worker (MMS_ variables). Where MMS_KEY_PARTITION_CHECK=false lets a
    member's events come on several partitions, each of them holds a history of its own, and all of them are
    shown, one after the other. A history that is sealed is opened with the keys in MMS_SEALING_KEYS_DIR. Exit
    code 1 when nothing is held of the member, 2 when the brokers or the history cannot be read.
    """
    with telling() as out:
        settings = settings_or_exit(bootstrap)
        histories = [_described_or_exit(member, found) for found in _found_or_exit(member, settings)]
        with naming(out.name):
            for told in histories:
                if json:
                    out.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
                else:
                    render(told, screen())


def _found_or_exit(member: str, settings: Settings) -> list[Found]:
    from worker.stream.rights.table import Task

    found = answer_or_exit(_find(member, settings), settings, Task.HISTORY)
    if not found:
        exit_with(f"no history of that member is held in {settings.changelog_topic}", NOT_FOUND)
    return found


async def _find(member: str, settings: Settings) -> list[Found]:
    """The member's history; its key places it on a partition, as it places the member's events.

    Where nobody checks that events are so placed there may be a history on every partition.
    """
    from worker.stream.deciding import partition_of
    from worker.stream.errors import Refused
    from worker.stream.restore import restore
    from worker.stream.topics import ABSENT, admin, partition_counts

    topic = settings.changelog_topic
    async with admin(settings) as client:
        partitions = (await partition_counts(client)).get(topic)
    if partitions is None:
        raise Refused(f"topic {topic} {ABSENT}; see MMS_CHANGELOG_TOPIC")
    key = member.encode(errors="surrogateescape")
    looked_in = [partition_of(key, partitions)] if settings.key_partition_check else range(partitions)
    found = []
    for partition in looked_in:
        restored = await restore(partition, settings, only=key)
        if key in restored.histories:
            state, key_id = restored.histories[key], restored.sealed_with.get(key)
            found.append(Found(state, topic, partition, key_id))
    return found


def _described_or_exit(member: str, found: Found) -> dict[str, Any]:
    try:
        return described(member, found)
    except DecodeError:  # its text may quote the history
        place = f"partition {found.partition} of {found.topic}"
        exit_with(f"{place}: the history of that member is damaged: it cannot be decoded", NOT_READ)


def described(member: str, found: Found) -> dict[str, Any]:
    """What the history holds, as JSON has it; ids and codes as they are."""
    history = stored.read(found.state)
    return {
        "notice": NOTICE,
        "member_id": member,
        "topic": found.topic,
        "partition": found.partition,
        "bytes": len(found.state),
        "version": stored.version_of(found.state),
        "sealed_with": found.sealed_with,
        "events": sum(held.events for held in history.claims),
        "history_digest": events_digest(history),
        "claims": [_claim(held) for held in history.claims],
    }


def _claim(held: Held) -> dict[str, Any]:
    return {
        "claim_id": held.claim_id,
        "frequency_code": held.frequency,
        "original_claim_id": held.original_claim_id,
        "received_date": _day(held.received),
        # Of a claim that is superseded or void no more than the last is held.
        "service_dates": [_day(day) for day in held.dates],
        "standing": held.standing.name.lower(),
        "expired": held.is_expired,
        "documentation_received": [_day(one.received) for one in held.records],
        "events": held.events,
        "revision": held.published.revision,
        "result_id": _uuid(held.published.result_id),
        "outcome": held.published.outcome or None,
        "lines": list(_lines(held)),
    }


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def _uuid(result_id: bytes) -> str | None:
    from uuid import UUID

    return str(UUID(bytes=result_id)) if result_id else None


def _lines(held: Held) -> Iterator[dict[str, Any]]:
    """The decision of each line; a claim that is not held has forgotten the lines' own numbers."""
    decisions = held.published.decisions
    numbers = [line.line for line in unpack(held.body).lines] if held.body else [None] * len(decisions)
    for number, decision in zip(numbers, decisions, strict=True):
        yield {"line": number, "decision": decision}


def render(told: dict[str, Any], console: Console) -> None:
    """Print it for a person."""

    def say(text: str, style: str | None = None) -> None:
        console.print(text, style=style, highlight=False)

    say(told["notice"], "bold red")
    say(f"\nMember [bold]{literal(told['member_id'])}[/]")
    sealed = f", sealed with key {told['sealed_with']}" if told["sealed_with"] else ""
    say(f"partition {told['partition']} of {told['topic']}{sealed}", "dim")
    say(f"claims held: {len(told['claims'])}, events: {told['events']}, bytes: {told['bytes']:,}", "dim")
    say(told["history_digest"], "dim")
    for claim in told["claims"]:
        outcome = claim["outcome"]
        shown = f"[{STYLES.get(outcome, 'dim')}]{outcome.upper()}[/]" if outcome else "[dim]undecided[/]"
        say(f"\nClaim [bold]{literal(claim['claim_id'])}[/]   {shown}")
        for text in _told_of(claim):
            say(f"  {text}")


def _told_of(claim: dict[str, Any]) -> Iterator[str]:
    original = literal(claim["original_claim_id"] or "")
    if claim["frequency_code"] != "1":
        yield f"{'replaces' if claim['frequency_code'] == '7' else 'voids'} claim {original}"
    yield f"received {claim['received_date']}, service {', '.join(claim['service_dates'])}"
    if claim["documentation_received"]:
        yield f"records received {', '.join(claim['documentation_received'])}"
    if claim["expired"]:
        yield "the time for records has run out"
    yield COUNTS_AS[Standing[claim["standing"].upper()]]
    if claim["result_id"]:
        yield f"revision {claim['revision']}, result {claim['result_id']}"
    if claim["lines"]:
        yield ", ".join(_line(line["line"], line["decision"]) for line in claim["lines"])


def _line(number: int | None, decision: str) -> str:
    name = "a line" if number is None else f"line {number}"
    return f"{name} [{STYLES.get(decision, 'dim')}]{decision}[/]"
