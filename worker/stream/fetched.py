"""What a fetch has brought, freed as soon as aiokafka drops it.

What is left of a fetch is dropped when its partition is held, sought or taken away. But its iterator and its
owner refer to each other: dropped half-way they would stay, with a batch that is unpacked and may be hundreds
of times as large as it came, until the garbage collector finds them; and a worker has made that rare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import proxy

from aiokafka.consumer.fetcher import PartitionRecords

if TYPE_CHECKING:
    from collections.abc import Iterator

_unpack = PartitionRecords._unpack_records  # noqa: SLF001  nothing public is between a fetch and its records


def free_what_is_dropped() -> None:
    """Let every consumer of this process free at once what it drops of a fetch."""
    PartitionRecords._unpack_records = _unpack_for  # noqa: SLF001  as above


def _unpack_for(owner: Any) -> Iterator[Any]:
    """The records of a fetch, as aiokafka unpacks them, without keeping their owner alive."""
    unpacked: Iterator[Any] = _unpack(proxy(owner))
    return unpacked
