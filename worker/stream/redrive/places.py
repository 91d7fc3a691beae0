"""The topics that a redrive reads and writes: whether they are there, and of how many partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from worker.settings import variable
from worker.stream.errors import Refused
from worker.stream.redrive.ledger import KEPT, ledger_spec, ledger_topic
from worker.stream.topics import (
    ABSENT,
    TopicSpec,
    admin,
    configured,
    counted,
    create_missing,
    partition_counts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka.admin import AIOKafkaAdminClient

    from worker.settings import Settings
    from worker.stream.redrive.selection import Selection


class Places(NamedTuple):
    """Partitions to look at, and of how many the ledger is, 0 if there is none."""

    partitions: Sequence[int]
    noted: int

    def has_ledger(self, partition: int) -> bool:
        """Whether the ledger has the partition: else nothing of it was ever redriven."""
        return partition < self.noted


async def find_places(settings: Settings, selection: Selection) -> Places:
    """Look where the dead letters are, for reading them.

    Raises Refused where their topic is missing, or a partition that is meant does not exist.
    """
    async with admin(settings) as client:
        return _places(await partition_counts(client), settings, selection)


async def ready_places(settings: Settings, selection: Selection, *, execute: bool) -> Places:
    """The same for sending them, which goes by number of partition and by what the ledger holds.

    To ``execute`` it, a ledger is made if there is none. Raises Refused with the command that repairs it
    also where the topics' numbers of partitions do not allow it, or the ledger does not keep its entries.
    """
    async with admin(settings) as client:
        counts = await partition_counts(client)
        places = _places(counts, settings, selection)
        _refuse_other_numbers(counts, settings)
        ledger = ledger_spec(settings, counts[settings.dead_letter_topic])
        if execute and await create_missing(client, [ledger]):
            return places._replace(noted=ledger.partitions)  # not every broker may know of it yet
        if places.noted:
            await _refuse_other_ledger(client, ledger, places.noted, settings)
    return places


def _places(counts: dict[str, int], settings: Settings, selection: Selection) -> Places:
    count = _count(counts, "dead_letter_topic", settings)
    absent = sorted(selection.partitions - set(range(count)))
    if absent:
        raise Refused(f"topic {settings.dead_letter_topic} has no partition {absent[0]}, it has {count}")
    return Places(sorted(selection.partitions) or range(count), counts.get(ledger_topic(settings), 0))


def _count(counts: dict[str, int], field: str, settings: Settings) -> int:
    topic = getattr(settings, field)
    if topic not in counts:
        raise Refused(f"topic {topic} {ABSENT}; see {variable(field)}")
    return counts[topic]


def _refuse_other_numbers(counts: dict[str, int], settings: Settings) -> None:
    """A dead letter goes back to the partition number that it came from, so the numbers must be the same."""
    expected = _count(counts, "input_topic", settings)
    wanted = TopicSpec(settings.dead_letter_topic, expected, settings.replication, {})
    for different in counted(wanted, counts[wanted.name], settings, settings.input_topic):
        raise Refused(str(different))


async def _refuse_other_ledger(
    client: AIOKafkaAdminClient, wanted: TopicSpec, partitions: int, settings: Settings
) -> None:
    # One with more partitions than there are dead letters of does no harm, and must not be made anew.
    found = counted(wanted, min(partitions, wanted.partitions), settings, settings.dead_letter_topic)
    found += await configured(client, wanted._replace(config=KEPT), settings)
    if found:
        why = "a letter whose entry is gone, or has no place, would be sent a second time"
        raise Refused(f"{'; '.join(map(str, found))}; {why}")
