"""What a worker looks at before it works: what it is allowed, and whether the topics are as they must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from worker.stream.errors import Refused
from worker.stream.rights.missing import require
from worker.stream.rights.table import Task
from worker.stream.topics import admin, all_counted, differences, partition_counts

if TYPE_CHECKING:
    from worker.settings import Settings

log = structlog.get_logger()


async def verify_topics(settings: Settings) -> None:
    """Raise Refused if a right is missing, or a topic differs in something essential; the rest is logged.

    Rights come first: a topic that this worker may not describe would look as if it were not there.
    """
    await require(settings, Task.RUN)
    async with admin(settings) as client:
        found = await differences(client, settings)
    for difference in found:
        if not difference.essential:
            log.warning(
                "topic differs", topic=difference.topic, what=difference.what, repair=difference.repair
            )
    _refuse([str(difference) for difference in found if difference.essential])


async def verify_counts(settings: Settings) -> None:
    """Raise Refused if a topic is missing or hidden, or has not the partitions of the settings."""
    async with admin(settings) as client:
        counts = await partition_counts(client)
    found = all_counted(counts, settings)
    if any(one.missing for one in found):
        await require(settings, Task.RUN)
    _refuse([str(one) for one in found])


def _refuse(reasons: list[str]) -> None:
    if reasons:
        raise Refused("\n".join(reasons))
