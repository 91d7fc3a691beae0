"""Why a sealed value stays closed, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from worker.stream.sealing.envelope import Damaged


class CannotOpen(Exception):  # noqa: N818  reads as what it says
    """A value stays closed. Its texts say nothing of the value, and follow a word for it."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}; {remedy}")
        self.fault = fault
        self.remedy = remedy

    @classmethod
    def lacking(cls, key_id: str, why: str, remedy: str) -> Self:
        """The key is not here."""
        return cls(f"is sealed with key {_shown(key_id)}, and {why}", remedy)

    @classmethod
    def damaged(cls, why: Damaged) -> Self:
        """It is no envelope."""
        return cls(f"is marked as sealed and cannot be opened: {why}", _WHO)

    @classmethod
    def unlike(cls, key_id: str) -> Self:
        """The key is here, but it does not fit this value at this place."""
        return cls(
            f"does not open with its key {_shown(key_id)}: it was changed, or comes from another record, "
            "partition or topic, or the key's file is not the one that sealed it",
            f"compare that file with another worker's, and {_WHO}",
        )


_WHO = "look who may write to the topic"


def _shown(key_id: str) -> str:
    """An id that may be damaged, so that it does no harm where it is shown."""
    return key_id if key_id.isprintable() else ascii(key_id)
