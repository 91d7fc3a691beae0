"""Where a lane begins: at the committed offset, or nowhere if that would lose or repeat claims in silence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from worker.stream.errors import Refused

if TYPE_CHECKING:
    from worker.settings import Settings
    from worker.stream.intake import Intake
    from worker.stream.transaction import TransactionalProducer

log = structlog.get_logger()

ACCEPT = "start with --accept-gap to go on"


async def starting_offset(intake: Intake, producer: TransactionalProducer, settings: Settings) -> int:
    """The offset of the first record to decide; ``producer`` has fenced the partition's last owner before.

    A partition on which the group has never been gets its beginning committed before anything is decided. So
    a missing offset beside existing results always means that the offset was lost. Raises Refused with what
    is missing, unless the settings accept the gap.
    """
    async with asyncio.timeout(settings.producer_start_deadline_s):
        committed = await intake.committed()
        first, end = await intake.bounds()
        if committed is not None and first <= committed <= end:
            return committed
        gap = await _gap(intake, committed, first, end, settings)
    start = end if _was_cut(committed, first, end) else first
    if gap is not None:
        if not settings.accept_gap:
            raise Refused(f"{gap}; {ACCEPT}")
        log.warning("gap accepted", gap=gap, offset=start)
    await producer.commit({}, start)
    return start


def _was_cut(committed: int | None, first: int, end: int) -> bool:
    """Whether the log lost its end but is the old one: a log made anew begins at 0.

    What such a log still has was decided before, and would be published again.
    """
    return committed is not None and committed > end and first > 0


async def _gap(intake: Intake, committed: int | None, first: int, end: int, settings: Settings) -> str | None:
    """What is missing, in words; None if nothing is."""
    where = f"partition {intake.partition.partition} of {settings.input_topic}"
    group = f"group {settings.app_id}"
    if committed is None:
        if not await intake.has_results():
            return None
        return (
            f"{where}: {group} has no committed offset, though {settings.results_topic} has results there; "
            f"it was lost or MMS_APP_ID changed, and going on from {first} would publish results again"
        )
    if committed < first:
        return f"{where}: the records from {committed} to {first - 1} are gone, {group} had not decided them"
    gap = f"{where}: {group} stands at offset {committed}, but the log ends at {end}: it was cut or made anew"
    if _was_cut(committed, first, end):
        return f"{gap}, and going on is from its end"
    if end > first and await intake.has_results():
        return (
            f"{gap}, and going on from {first} would publish again what it still has and was decided before"
        )
    return f"{gap}, and going on is from {first}"
