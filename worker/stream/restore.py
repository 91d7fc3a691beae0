"""Reading a partition's member histories back from the changelog."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aiokafka import TopicPartition

from worker.adjudication.stored import VERSION, version_of
from worker.stream.bounded import reader, up_to_end
from worker.stream.errors import Refused
from worker.stream.markers import pass_emptied_markers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord

    from worker.settings import Settings


class Restored(NamedTuple):
    """The histories of a partition's members, and how many records they were read from."""

    histories: dict[bytes, bytes]
    """By the member's key, as they are stored."""
    records: int
    """Records read, with those that later ones have replaced."""

    @property
    def size(self) -> int:
        """Bytes of the histories; counted anew each time."""
        return sum(map(len, self.histories.values()))


async def restore(partition: int, settings: Settings, *, only: bytes | None = None) -> Restored:
    """The committed histories of all members of a partition, or of the ``only`` one whose key is given.

    Reads from the log's beginning to where it ends now, as ``up_to_end`` does. Raises Refused for a history
    of a version that this worker does not know, unless a later one has replaced it; TimeoutError when the
    position stands still for longer than the settings' request timeout; and what aiokafka raises.
    """
    pass_emptied_markers()
    place = TopicPartition(settings.changelog_topic, partition)
    fold = _Fold(place, only)
    async with reader(settings) as consumer:
        async for records in up_to_end(consumer, place, settings.request_timeout_s):
            fold.take(records)
    fold.refuse_unknown()
    return Restored(fold.histories, fold.records)


class _Fold:
    """The last history of every key, record by record."""

    def __init__(self, place: TopicPartition, only: bytes | None) -> None:
        self.histories: dict[bytes, bytes] = {}
        self.records = 0
        self._place = place
        self._only = only
        self._unknown: dict[bytes, tuple[int, int | None]] = {}
        """Offset and version, by key, of last histories that this worker does not know."""

    def take(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        histories, unknown = self.histories, self._unknown
        self.records += len(records)
        for record in records:
            key, state = record.key, record.value
            if self._only is not None and key != self._only:
                continue
            if unknown:
                unknown.pop(key, None)
            if state is None:
                histories.pop(key, None)
            else:
                histories[key] = state
                # An empty history has no version: it is not known either.
                if state[:1] != _KNOWN:
                    unknown[key] = record.offset, version_of(state)

    def refuse_unknown(self) -> None:
        """Raise Refused if a history that is the last of its member is of a version not known here."""
        if not self._unknown:
            return
        offset, version = min(self._unknown.values())
        found = "no version" if version is None else f"version {version}"
        raise Refused(
            f"partition {self._place.partition} of {self._place.topic}: the history at offset {offset} has "
            f"{found}, this worker knows version {VERSION} ({len(self._unknown)} such histories there); "
            "run the release of the worker that wrote it, or a later one"
        )


_KNOWN = bytes([VERSION])
