"""Decides the events of a shard once more, by one basis."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from worker.adjudication import Rejected, adjudicate, encode, standing
from worker.adjudication.redacted import redacted
from worker.replay.matching.waiting import Expected
from worker.stream.deciding import Decider, event_of
from worker.stream.histories import Histories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.adjudication import Limits, Reference
    from worker.replay.reading.evidence import Record, Shard
    from worker.settings import Settings


@redacted
class Decisions(NamedTuple):
    """What some events come to."""

    results: list[Expected]
    rejected: list[tuple[int, str]]
    """Place and reason of each event that is a dead letter."""


class Deciding:
    """One basis at work on one set of histories."""

    def __init__(
        self, reference: Reference, settings: Settings, limits: Limits, histories: Histories
    ) -> None:
        self.histories = histories
        self.reference = reference
        bound = partial(adjudicate, reference=reference, limits=limits)
        self._decider = Decider(bound, encode, settings, now=lambda: 0.0)  # a batch has all the time it needs

    def decide(self, records: Sequence[Record], shard: Shard) -> Decisions:
        """Decide events in their order; ``histories`` are afterwards as they have left them."""
        if not records:
            return Decisions([], [])
        decided = self._decider.decide(records, self.histories)
        return Decisions(
            [
                Expected(
                    one.cause or 0,
                    one.timestamp,
                    one.key,
                    one.value or b"",
                    shard.has(one.cause or 0, one.timestamp),
                )
                for one in decided.results
            ],
            [(one.cause or 0, _reason(one.headers)) for one in decided.dead_letters],
        )

    def would_publish(self, record: Record) -> bool:
        """Whether an event, decided now, brings about a result. Nothing is changed by asking."""
        key = record.key or b""
        held = self.histories.of(key)
        apart = Histories({} if held is None else {key: held})
        return bool(self._decider.decide([record], apart).results)

    def standing(self, record: Record, claim_id: str) -> bytes | None:
        """The result that stands for a claim after an event that brought none; None where none does."""
        event, history = event_of(record), self.histories.of(record.key or b"")
        if isinstance(event, Rejected) or history is None:
            return None
        result = standing(event, history, claim_id, self.reference)
        return None if result is None else encode(result)


def _reason(headers: Sequence[tuple[str, bytes | None]]) -> str:
    return (dict(headers)["mms.dlq.reason"] or b"").decode()
