"""Lanes with one thing left out each: what a driver that is worth anything must see.

Each is put in place of the real one, by its name in the module that uses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from worker.settings import Settings
from worker.stream import deciding, lane, offsets, source
from worker.stream.deadletters import ADDED, dead_letter
from worker.stream.histories import Histories
from worker.stream.intake import Intake
from worker.stream.lane import Lane
from worker.stream.outgoing import Outgoing
from worker.stream.transactions.producer import TransactionalProducer


class OffsetReadBeforeFence(Lane):
    """Goes to the offset that was committed before its producer had fenced the last owner's."""

    async def _live(self) -> None:
        if not isinstance(self.intake, _Remembering):
            self.intake = _Remembering(self.intake)
        self.intake.remembered = await self.intake.asked()
        await super()._live()


class _Remembering(Intake):
    """An intake whose committed offset is the one that was asked for before."""

    def __init__(self, intake: Intake) -> None:
        self.__dict__ = intake.__dict__  # one and the same, so that a revocation reaches it
        self.asked = intake.committed
        self.remembered: int | None = None

    async def committed(self) -> int | None:
        return self.remembered


class RestoredBeforeFence(Lane):
    """Restores the histories before its producer has fenced the last owner's."""

    _restored: Histories

    async def _live(self) -> None:
        self._restored = await super()._histories(TransactionalProducer(self.partition, self._settings))
        await super()._live()

    async def _histories(self, _: TransactionalProducer) -> Histories:
        return self._restored


class MemoryKept(Lane):
    """Begins again with the memory that it had, and not with what is committed."""

    _kept: Histories | None = None

    async def _histories(self, producer: TransactionalProducer) -> Histories:
        if self._kept is None:
            self._kept = await super()._histories(producer)
        return self._kept


class DeliveriesNotAwaited(TransactionalProducer):
    """Commits without having looked at what became of its records."""

    async def _delivered(self, deliveries: Sequence[Any]) -> None:
        """Look at nothing."""


class OffsetApart(TransactionalProducer):
    """Commits the offset by itself, and then what was decided up to it."""

    async def commit(self, outputs: Mapping[str, Sequence[Outgoing]], next_offset: int | None) -> None:
        await super().commit({}, next_offset)
        await super().commit(outputs, next_offset)


class ChangelogApart(TransactionalProducer):
    """Commits results and offset, and then the histories."""

    async def commit(self, outputs: Mapping[str, Sequence[Outgoing]], next_offset: int | None) -> None:
        changelog = self._settings.changelog_topic
        await super().commit({**outputs, changelog: ()}, next_offset)
        await super().commit({changelog: outputs.get(changelog, ())}, next_offset)


async def offset_asked_for_first(intake: Intake, settings: Settings) -> Any:
    """Asks for the committed offset before it asks for what was committed with it."""
    committed = await intake.committed()
    bounds = await intake.bounds()
    has_results = await intake.has_results()
    return offsets._Past(
        committed, *bounds, has_results, await intake.has_histories(settings.changelog_topic)
    )


async def ownership_not_proved(producer: TransactionalProducer, committed: int | None) -> None:
    """Takes whatever looks like a gap for one."""


def letter_without_value(*given: Any) -> Outgoing:
    """Tells why the record was refused, and leaves out what was in it."""
    return dead_letter(*given)._replace(value=None)


def letter_with_another_reason(*given: Any) -> Outgoing:
    """Sets the record aside as it came, for another reason."""
    letter = dead_letter(*given)
    return letter._replace(
        headers=[(name, b"other" if name == "mms.dlq.reason" else value) for name, value in letter.headers]
    )


def letter_without_headers(*given: Any) -> Outgoing:
    """Says of itself all that it should, and drops the headers that the record came with."""
    letter = dead_letter(*given)
    return letter._replace(headers=letter.headers[-len(ADDED) :])


class Mutation(NamedTuple):
    """What is to be used in the place of what a module has by that name."""

    module: Any
    name: str
    mutant: Any


OFFSET_READ_BEFORE_FENCE = Mutation(source, "Lane", OffsetReadBeforeFence)
RESTORED_BEFORE_FENCE = Mutation(source, "Lane", RestoredBeforeFence)
MEMORY_KEPT = Mutation(source, "Lane", MemoryKept)
DELIVERIES_NOT_AWAITED = Mutation(lane, "TransactionalProducer", DeliveriesNotAwaited)
OFFSET_APART = Mutation(lane, "TransactionalProducer", OffsetApart)
CHANGELOG_APART = Mutation(lane, "TransactionalProducer", ChangelogApart)
OFFSET_ASKED_FOR_FIRST = Mutation(offsets, "_past", offset_asked_for_first)
OWNERSHIP_NOT_PROVED = Mutation(offsets, "_prove_ownership", ownership_not_proved)
LETTER_WITHOUT_VALUE = Mutation(deciding, "dead_letter", letter_without_value)
LETTER_WITH_ANOTHER_REASON = Mutation(deciding, "dead_letter", letter_with_another_reason)
LETTER_WITHOUT_HEADERS = Mutation(deciding, "dead_letter", letter_without_headers)
