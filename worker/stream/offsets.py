"""Where a lane begins: at the committed offset, or nowhere if that would lose or repeat claims in silence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import structlog

from worker.stream.errors import Refused
from worker.stream.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.settings import Settings
    from worker.stream.intake import Intake
    from worker.stream.transactions.producer import TransactionalProducer

log = structlog.get_logger()

ACCEPT = "start with --accept-gap to go on"
NOBODYS_TOMBSTONE = Outgoing(b"", None, 0, ())
"""Written to a changelog whose histories are missing, once that is accepted: it is not asked again then.

It removes the history of nobody, for no member's id is empty.
"""


class _Past(NamedTuple):
    """What a partition's topics tell of its past."""

    committed: int | None
    """The group's committed offset."""
    first: int
    """Offset of the first record of the input."""
    end: int
    """Offset behind the input's last stable record."""
    has_results: bool
    has_histories: bool

    @property
    def histories_are_missing(self) -> bool:
        """Whether there were decisions, each of which was committed together with its member's history."""
        return self.has_results and not self.has_histories

    @property
    def was_cut(self) -> bool:
        """Whether the log lost its end but is the old one: a log made anew begins at 0.

        What such a log still has was decided before, and would be published again.
        """
        return self.committed is not None and self.committed > self.end and self.first > 0


async def starting_offset(intake: Intake, producer: TransactionalProducer, settings: Settings) -> int:
    """The offset of the first record to decide; ``producer`` has fenced the partition's last owner before.

    A partition on which the group has never been gets its beginning committed before anything is decided. So
    a missing offset beside results or histories always means that the offset was lost, and results without
    any history that the histories were. Raises Refused with what is missing, unless the settings accept the
    gap; Fenced if there seems to be one and the partition has another owner.
    """
    async with asyncio.timeout(settings.producer_start_deadline_s):
        past = await _past(intake, settings)
    start = _start(past)
    gap = "; ".join(_gaps(past, start, f"partition {intake.partition.partition}", settings))
    if gap and not settings.accept_gap:
        await _prove_ownership(producer, past.committed)
        raise Refused(f"{gap}; {ACCEPT}")
    if gap or start != past.committed:
        outputs = {settings.changelog_topic: [NOBODYS_TOMBSTONE]} if past.histories_are_missing else {}
        await producer.commit(outputs, start)
    if gap:
        log.warning("gap accepted", gap=gap, offset=start)
    return start


async def _prove_ownership(producer: TransactionalProducer, committed: int | None) -> None:
    """Raise Fenced unless all that was asked for is of one moment, at which nobody else wrote.

    A worker that was stopped for longer than its session asks on as if nothing had happened, while another
    owner commits and what that one has written becomes visible partition by partition: it sees gaps that
    are none. Whose producer can still commit has had no successor since it was started. What it commits is
    what is committed already: if there is a gap, it is left as it is.

    Without an offset there is nothing to commit, and no need to: see ``_past``.
    """
    if committed is not None:
        await producer.commit({}, committed)


async def _past(intake: Intake, settings: Settings) -> _Past:
    """Ask the brokers, for the offset only after what was written.

    Whatever another owner writes meanwhile, it has committed an offset before: none is missing then.
    """
    has_results = await intake.has_results()
    has_histories = await intake.has_histories(settings.changelog_topic)
    committed = await intake.committed()
    first, end = await intake.bounds()
    return _Past(committed, first, end, has_results, has_histories)


def _start(past: _Past) -> int:
    if past.committed is not None and past.first <= past.committed <= past.end:
        return past.committed
    return past.end if past.was_cut else past.first


def _gaps(past: _Past, start: int, partition: str, settings: Settings) -> Iterator[str]:
    """What is missing, in words."""
    if past.histories_are_missing:
        yield (
            f"{partition} of {settings.changelog_topic} has no histories, though {settings.results_topic} "
            "has results there: the topic was deleted or made anew, and going on would decide as if its "
            "members had no earlier claims; bring its records back"
        )
    where, group = f"{partition} of {settings.input_topic}", f"group {settings.app_id}"
    if past.committed is None:
        if past.has_results or past.has_histories:
            there = "results" if past.has_results else "histories"
            topic = settings.results_topic if past.has_results else settings.changelog_topic
            yield (
                f"{where}: {group} has no committed offset, though {topic} has {there} there; it was lost "
                f"or MMS_APP_ID changed, and going on from {start} would publish again what the histories "
                "do not hold"
            )
    elif start != past.committed:
        yield f"{where}: {_input_gap(past, past.committed, start, group)}"


def _input_gap(past: _Past, committed: int, start: int, group: str) -> str:
    if committed < past.first:
        return f"the records from {committed} to {past.first - 1} are gone, {group} had not decided them"
    gap = f"{group} stands at offset {committed}, but the log ends at {past.end}: it was cut or made anew"
    if past.was_cut:
        return f"{gap}, and going on is from its end"
    if past.end > past.first and past.has_results:
        return (
            f"{gap}, and going on from {start} would publish again what it still has and was decided before"
        )
    return f"{gap}, and going on is from {start}"
