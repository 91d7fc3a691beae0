"""A lane's memory: the stored history of every member of its partition, byte for byte as in the changelog.

Nothing here looks into a history; the pure code does, for the oldest pend too. The batch that follows the
one in flight is decided with what that one has changed, so memory runs ahead of the broker. It may, because
of one rule: a lane that fails, in whatever way, throws its memory away with its producer and restores what is
committed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from worker.adjudication.redacted import redacted
from worker.stream.pends import Pends

if TYPE_CHECKING:
    from aiokafka import TopicPartition

KEPT_S = 30.0
"""How long the memory of a lane that has ended waits for its partition to come back."""


class Size(NamedTuple):
    """How much is held."""

    members: int
    bytes: int
    """Of the stored histories, without their keys."""
    pended_since: int | None
    """Date of receipt, as an ordinal, of the claim that has waited longest for an answer."""


class Histories:
    """Stored histories by the member's key. Belongs to one life of one lane."""

    def __init__(self, states: dict[bytes, bytes] | None = None, pends: Pends | None = None) -> None:
        """Take over ``states`` and their ``pends``; without any, no member has been seen yet."""
        self._states = {} if states is None else states
        self._bytes = sum(map(len, self._states.values()))
        self._pends = Pends() if pends is None else pends
        if pends is None:
            self._pends.note(self._states)

    @property
    def size(self) -> Size:
        """How much is held; counted as it changes, so that asking costs nothing."""
        return Size(len(self._states), self._bytes, self._pends.oldest)

    def of(self, member: bytes) -> bytes | None:
        """The stored history of a member; None if there is none."""
        return self._states.get(member)

    def draft(self) -> Draft:
        """Changes that can still be dropped."""
        return Draft(self)

    def take(self, changed: dict[bytes, bytes]) -> None:
        """Hold what has changed."""
        self._pends.note(changed)
        for member, state in changed.items():
            self._bytes += len(state) - len(self._states.get(member, b""))
            self._states[member] = state


class Draft:
    """Histories with changes on top, which nobody else sees until ``keep``: dropped, it leaves no trace."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories
        self._changed: dict[bytes, bytes] = {}

    def of(self, member: bytes) -> bytes | None:
        """The stored history of a member, changes included; None if there is none."""
        state = self._changed.get(member)
        return self._histories.of(member) if state is None else state

    def change(self, member: bytes, state: bytes) -> None:
        """Note a member's new history."""
        self._changed[member] = state

    def keep(self) -> None:
        """Make the changes those of the histories."""
        self._histories.take(self._changed)
        self._changed = {}


@redacted
class Laid(NamedTuple):
    """Memory that was laid aside, complete up to ``next_offset`` of the input and no further."""

    histories: Histories
    next_offset: int
    life: tuple[int, int]
    """That of the producer that has committed it."""
    purge: asyncio.TimerHandle


class Aside:
    """Where lanes that have committed all that they decided lay their memory when their assignment passes.

    In a rebalance most partitions come back to their worker within a moment, and need not be restored.
    Whoever takes a memory up must make sure that the group's committed offset is still ``next_offset``:
    otherwise another worker has gone on from there.
    """

    def __init__(self, seconds: float = KEPT_S) -> None:
        """Free what has lain for ``seconds``: its partition is another worker's by now."""
        self._seconds = seconds
        self._laid: dict[TopicPartition, Laid] = {}

    def lay(
        self, partition: TopicPartition, histories: Histories, next_offset: int, life: tuple[int, int]
    ) -> None:
        """Lay a memory aside, in the place of an older one."""
        self.free(partition)
        purge = asyncio.get_running_loop().call_later(self._seconds, self.free, partition)
        self._laid[partition] = Laid(histories, next_offset, life, purge)

    def find(self, partition: TopicPartition) -> Laid | None:
        """What lies there for a partition. It stays, so that a lane that does not come to open leaves it."""
        return self._laid.get(partition)

    def free(self, partition: TopicPartition) -> None:
        """Forget a partition's memory, if there is any."""
        laid = self._laid.pop(partition, None)
        if laid is not None:
            laid.purge.cancel()
