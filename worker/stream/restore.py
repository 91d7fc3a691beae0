"""Reading a partition's member histories back from the changelog."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aiokafka import TopicPartition

from worker.adjudication.redacted import redacted
from worker.adjudication.stored import VERSION, version_of
from worker.stream.bounded import reader, up_to_end
from worker.stream.errors import Refused
from worker.stream.markers import pass_emptied_markers
from worker.stream.sealing.closed import CannotOpen
from worker.stream.sealing.envelope import history_place, is_sealed
from worker.stream.sealing.opening import opener_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord

    from worker.settings import Settings
    from worker.stream.sealing.opening import Opener


@redacted
class Restored(NamedTuple):
    """The histories of a partition's members, and how many records they were read from."""

    histories: dict[bytes, bytes]
    """By the member's key, as they are stored before they are sealed."""
    records: int
    """Records read, with those that later ones have replaced."""
    sealed_with: dict[bytes, str]
    """Id of the key that it was sealed with, by the member's key; without those that were not sealed."""

    @property
    def size(self) -> int:
        """Bytes of the histories; counted anew each time."""
        return sum(map(len, self.histories.values()))


async def restore(partition: int, settings: Settings, *, only: bytes | None = None) -> Restored:
    """The committed histories of all members of a partition, or of the ``only`` one whose key is given.

    Reads from the log's beginning to where it ends now, as ``up_to_end`` does, and opens what is sealed.
    Raises Refused for a history of a version that this worker does not know, one that it cannot open, or one
    that is not sealed where the settings require that, unless a later one has replaced it; TimeoutError when
    the position stands still for longer than the settings' request timeout; and what aiokafka raises.
    """
    pass_emptied_markers()
    place = TopicPartition(settings.changelog_topic, partition)
    fold = _Fold(place, only, opener_of(settings), is_sealing_required=settings.sealing_required)
    async with reader(settings) as consumer:
        async for records in up_to_end(consumer, place, settings.request_timeout_s):
            fold.take(records)
    fold.refuse_unreadable()
    return Restored(fold.histories, fold.records, fold.sealed_with)


class _Fold:
    """The last history of every key, record by record."""

    def __init__(
        self, place: TopicPartition, only: bytes | None, opener: Opener, *, is_sealing_required: bool
    ) -> None:
        self.histories: dict[bytes, bytes] = {}
        self.sealed_with: dict[bytes, str] = {}
        self.records = 0
        self._place = place
        self._only = only
        self._open = opener.open
        self._opened_at = history_place(place.topic, place.partition)
        self._takes_plain = not is_sealing_required
        self._unreadable: dict[bytes, tuple[int, str, str]] = {}
        """Offset, fault and remedy, by key, of last histories that this worker cannot read."""

    def take(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        histories, unreadable = self.histories, self._unreadable
        self.records += len(records)
        for record in records:
            key, state = record.key, record.value
            if self._only is not None and key != self._only:
                continue
            if unreadable:
                unreadable.pop(key, None)
            if state is None:
                histories.pop(key, None)
                self.sealed_with.pop(key, None)
                continue
            try:
                state = self._opened(key, state)
            except CannotOpen as closed:
                unreadable[key] = record.offset, closed.fault, closed.remedy
                continue
            histories[key] = state
            # An empty history has no version: it is not known either.
            if state[:1] != _KNOWN:
                unreadable[key] = record.offset, _unknown(version_of(state)), _LATER

    def _opened(self, key: bytes, state: bytes) -> bytes:
        if is_sealed(state):
            self.sealed_with[key], state = self._open(state, self._opened_at, key)
            return state
        self.sealed_with.pop(key, None)
        if self._takes_plain:
            return state
        raise CannotOpen("is not sealed, and MMS_SEALING_REQUIRED asks for that", _SEAL_FIRST)

    def refuse_unreadable(self) -> None:
        """Raise Refused if a history that is the last of its member cannot be read here."""
        if not self._unreadable:
            return
        offset, fault, remedy = min(self._unreadable.values())
        raise Refused(
            f"partition {self._place.partition} of {self._place.topic}: the history at offset {offset} "
            f"{fault} ({len(self._unreadable)} such histories there); {remedy}"
        )


def _unknown(version: int | None) -> str:
    found = "no version" if version is None else f"version {version}"
    return f"has {found}, this worker knows version {VERSION}"


_KNOWN = bytes([VERSION])
_LATER = "run the release of the worker that wrote it, or a later one"
_SEAL_FIRST = (
    "look who may write to the topic, or if it is from before, run without MMS_SEALING_REQUIRED until all "
    "are sealed anew"
)
