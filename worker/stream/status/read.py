"""What the brokers tell of a stream, before anything is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from aiokafka import TopicPartition

    from worker.stream.status.backlog import Oldest
    from worker.stream.status.bases import Basis
    from worker.stream.status.group import Group
    from worker.stream.status.letters import Counts
    from worker.stream.status.opened import Opened
    from worker.stream.status.tails import Span, Tail


class Read(NamedTuple):
    """What the brokers told, before anything is made of it."""

    counts: dict[str, int]
    """Partitions of each of the four topics."""
    group: Group
    stable: dict[TopicPartition, Span]
    """From where each log begins to its last stable offset."""
    ends: dict[TopicPartition, int]
    """High watermarks."""
    oldest: dict[TopicPartition, Oldest | None]
    tails: dict[TopicPartition, Tail]
    bases: dict[TopicPartition, Basis | None]
    opened: dict[TopicPartition, Opened]
    letters: Counts | None
    now: float
