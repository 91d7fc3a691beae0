"""What a fetch has brought: unpacked within a bound, and freed as soon as aiokafka drops it.

What is left of a fetch is dropped when its partition is held, sought or taken away. But its iterator and its
owner refer to each other: dropped half-way they would stay, with a batch that is unpacked and may be many
times as large as it came, until the garbage collector finds them; and a worker has made that rare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import proxy

from aiokafka.consumer.fetcher import PartitionRecords

from worker.stream.records import read_raw_names
from worker.stream.unpacking import BoundedRecords

if TYPE_CHECKING:
    from collections.abc import Iterator

_unpack = PartitionRecords._unpack_records  # noqa: SLF001  nothing public is between a fetch and its records
_bounded: set[str] = set()
"""Topics that others write to."""


def free_what_is_dropped() -> None:
    """Let every consumer of this process free at once what it drops of a fetch."""
    PartitionRecords._unpack_records = _unpack_for  # noqa: SLF001  as above


def bound_what_is_unpacked(topic: str) -> None:
    """Let every consumer of this process unpack that topic's batches within a bound, and free them at once.

    Not for topics of the worker's own: what stands for a batch there would be taken for a result or history.
    """
    _bounded.add(topic)
    read_raw_names()
    free_what_is_dropped()


def _unpack_for(owner: Any) -> Iterator[Any]:
    """The records of a fetch, as aiokafka unpacks them, without keeping their owner alive."""
    if owner._tp.topic in _bounded:  # noqa: SLF001  as above
        owner._records = BoundedRecords(owner._records)  # noqa: SLF001  as above
    unpacked: Iterator[Any] = _unpack(proxy(owner))
    return unpacked
