"""The topics that a redrive reads and writes: whether they are there, and of how many partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from worker.settings import variable
from worker.stream.errors import Refused
from worker.stream.redrive.ledger import ledger_spec, ledger_topic
from worker.stream.topics import ABSENT, admin, create_missing, partition_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.settings import Settings
    from worker.stream.redrive.selection import Selection


class Places(NamedTuple):
    """Partitions to look at, and whether there is a ledger: without one nothing was ever redriven."""

    partitions: Sequence[int]
    has_ledger: bool


async def find_places(settings: Settings, selection: Selection, *, ready: bool = False) -> Places:
    """Look where the dead letters are; ``ready`` is for sending them, and makes a ledger if there is none.

    Raises Refused where a topic is missing, topics differ in their number of partitions, or a partition that
    is meant does not exist.
    """
    async with admin(settings) as client:
        counts = await partition_counts(client)
        count = _counted(counts, "dead_letter_topic", settings)
        if ready:
            _same(settings.input_topic, _counted(counts, "input_topic", settings), count, settings)
            await create_missing(client, [ledger_spec(settings, count)])
        ledger = counts.get(ledger_topic(settings))
    if ledger is not None:
        _same(ledger_topic(settings), ledger, count, settings)
    absent = sorted(selection.partitions - set(range(count)))
    if absent:
        raise Refused(f"topic {settings.dead_letter_topic} has no partition {absent[0]}, it has {count}")
    return Places(sorted(selection.partitions) or range(count), ready or ledger is not None)


def _counted(counts: dict[str, int], field: str, settings: Settings) -> int:
    topic = getattr(settings, field)
    if topic not in counts:
        raise Refused(f"topic {topic} {ABSENT}; see {variable(field)}")
    return counts[topic]


def _same(topic: str, partitions: int, expected: int, settings: Settings) -> None:
    if partitions != expected:
        raise Refused(
            f"topic {topic} has {partitions} partitions and {settings.dead_letter_topic} has {expected}; a "
            "dead letter goes back to the partition number that it came from, so the numbers must be the same"
        )
