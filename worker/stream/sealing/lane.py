"""What one life of a lane seals: what it writes, and what it finds sealed with another key."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from worker.stream.deadletters import sealed_letter
from worker.stream.outgoing import BATCH_BYTES, Outgoing
from worker.stream.sealing.envelope import history_place, letter_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.settings import Settings
    from worker.stream.restore import Restored
    from worker.stream.sealing.sealer import Sealer

MOST_RECORDS = 500
"""Histories that are sealed anew in one transaction; together hardly more than ``BATCH_BYTES`` either. That
takes as long as a small batch, and records that come in meanwhile wait for so long."""


class Stale:
    """Committed histories of a partition that the current key has not sealed, each until it has.

    They are written anew as they were restored, in transactions between those of batches. A history is the
    committed one until a batch that has changed its member is committed, and that batch takes it off here.
    The lane's memory is not looked at: it runs ahead of what is committed.
    """

    def __init__(self, states: Mapping[bytes, bytes]) -> None:
        self._states = dict(states)
        self.members = len(self._states)
        """How many there were at first."""

    def __bool__(self) -> bool:
        return bool(self._states)

    def next(self, now_ms: int, offset: int) -> list[Outgoing]:
        """Records for the next transaction, not sealed yet; ``offset`` is where the lane stands."""
        found: list[Outgoing] = []
        size = 0
        for member, state in islice(self._states.items(), MOST_RECORDS):
            size += len(state)
            if found and size > BATCH_BYTES:
                break
            found.append(Outgoing(member, state, now_ms, (), offset))
        return found

    def written(self, records: Sequence[Outgoing]) -> None:
        """Take off the members of these records, which were sealed and are committed."""
        for record in records:
            if record.key is not None:
                self._states.pop(record.key, None)


class Sealing:
    """Seals with ``sealer`` what a lane writes; without one all goes out as it is."""

    def __init__(self, sealer: Sealer | None, settings: Settings, partition: int) -> None:
        self.stale = Stale({})
        self._sealer = sealer
        self._history = history_place(settings.changelog_topic, partition)
        self._letter = letter_place(settings.dead_letter_topic, partition)

    @property
    def key_id(self) -> str | None:
        """The key that seals; None if none does."""
        return None if self._sealer is None else self._sealer.key_id

    def restored(self, restored: Restored) -> dict[str, Any]:
        """Note what is to be sealed anew; returns what the log may say of how histories were sealed."""
        if self._sealer is not None:
            key_id, sealed_with = self._sealer.key_id, restored.sealed_with.get
            states = restored.histories.items()
            self.stale = Stale({member: state for member, state in states if sealed_with(member) != key_id})
        if self._sealer is None and not restored.sealed_with:
            return {}
        plain = len(restored.histories) - len(restored.sealed_with)
        return {"sealed_with": dict(Counter(restored.sealed_with.values())), "not_sealed": plain}

    def histories(self, records: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """Records of the changelog."""
        if self._sealer is None:
            return records
        seal, place = self._sealer.seal, self._history
        return [
            record if record.value is None else record._replace(value=seal(record.value, place, record.key))
            for record in records
        ]

    def letters(self, records: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """Dead letters."""
        if self._sealer is None:
            return records
        return [sealed_letter(record, self._sealer, self._letter) for record in records]
