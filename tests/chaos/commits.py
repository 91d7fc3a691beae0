"""What a group has committed: as the coordinators wrote it down, record by record, and as one tells it.

A record of ``__consumer_offsets`` whose key has version 0 or 1 is of an offset: group and topic (each UTF-8
behind its length, int16) and partition (int32) follow. Its value, in each of its versions (0 to 4), has the
offset (int64) behind the version; without a value the offset is gone. Other keys are of groups' members.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from worker.settings import Settings

NONE = -1
"""In an offset's place: there is none, or none any more. Less than any, so that a loss is a step back."""

_OF_AN_OFFSET = {0, 1}
_KNOWN_VALUES = range(5)


class Commit(NamedTuple):
    """A group's offset in a partition, from here on."""

    group: str
    topic: str
    partition: int
    offset: int


def commit_of(key: bytes, value: bytes | None) -> Commit | None:
    """What a record of the offsets' topic says; None if it is not of an offset.

    Raises ValueError where it has a version that nobody knew when this was written.
    """
    if int.from_bytes(key[:2]) not in _OF_AN_OFFSET:
        return None
    group, at = _text(key, 2)
    topic, at = _text(key, at)
    (partition,) = struct.unpack_from(">i", key, at)
    if value is None:
        return Commit(group, topic, partition, NONE)
    version, offset = struct.unpack_from(">hq", value)
    if version not in _KNOWN_VALUES:
        raise ValueError(f"an offset is written down in version {version}")
    return Commit(group, topic, partition, offset)


def _text(data: bytes, at: int) -> tuple[str, int]:
    """The text that begins here, and where the next thing begins."""
    (length,) = struct.unpack_from(">h", data, at)
    end = at + 2 + length
    return data[at + 2 : end].decode(), end


async def committed(client: AIOKafkaAdminClient, settings: Settings) -> dict[int, int]:
    """The group's offset in each partition of the input, ``NONE`` where it has none.

    Raises GroupCoordinatorNotAvailableError where the coordinator cannot tell yet: of that aiokafka sees only
    that there is nothing in the answer.
    """
    places = [TopicPartition(settings.input_topic, number) for number in range(settings.partitions)]
    told = await client.list_consumer_group_offsets(settings.app_id, partitions=places)
    if told.keys() != set(places):
        raise GroupCoordinatorNotAvailableError
    return {place.partition: told[place].offset for place in places}
