"""Decides the events of a shard once more, by what they were decided by, and on request by others too."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from worker.adjudication import Rejected, adjudicate, encode, standing
from worker.adjudication.result import Cause as EventCause
from worker.replay.waiting import Expected
from worker.stream.deciding import Decider, event_of
from worker.stream.histories import Histories

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.adjudication import Limits, Reference
    from worker.replay.basis import Basis
    from worker.replay.evidence import Record, Shard
    from worker.settings import Settings


class Run(Struct, frozen=True):
    """Results one after the other that name one basis; ``cause`` is what brought about the first of them."""

    digest: str
    cause: EventCause


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
        self._reference = reference
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

    def standing(self, record: Record, claim_id: str) -> bytes | None:
        """The result that stands for a claim after an event that brought none; None where none does."""
        event, history = event_of(record), self.histories.of(record.key or b"")
        if isinstance(event, Rejected) or history is None:
            return None
        result = standing(event, history, claim_id, self._reference)
        return None if result is None else encode(result)


class Recorded:
    """The recorded bases at work, each where the published results name it.

    An event that brought about nothing was decided by the basis of what came before it.
    """

    def __init__(
        self,
        bases: Mapping[str, Basis],
        runs: Sequence[Run],
        at: int,
        settings: Settings,
        limits: Limits,
        histories: Histories,
    ) -> None:
        """``runs`` are those of the shard, at least one; ``at`` is the one that deciding begins in."""
        self.histories = histories
        self._runs = runs
        self.at = at

        @cache
        def deciding(digest: str) -> Deciding:
            return Deciding(bases[digest].load(), settings, limits, histories)

        self._deciding = deciding

    def load(self) -> None:
        """Load all bases that are still needed, rather than each when it is."""
        for run in self._runs[self.at :]:
            self._deciding(run.digest)

    @property
    def basis(self) -> Deciding:
        """What decides now."""
        return self._deciding(self._runs[self.at].digest)

    def decide(self, records: Sequence[Record], shard: Shard) -> Decisions:
        """Decide events in their order."""
        whole = Decisions([], [])
        for part in self._parts(records):
            decisions = self.basis.decide(part, shard)
            whole.results.extend(decisions.results)
            whole.rejected.extend(decisions.rejected)
        return whole

    def _parts(self, records: Sequence[Record]) -> Iterator[Sequence[Record]]:
        """The records, cut where another basis begins; ``at`` is that of each part."""
        begin = 0
        for place, record in enumerate(records):
            if self.at + 1 == len(self._runs):
                break
            if identity_of(record) == _identity(self._runs[self.at + 1].cause):
                yield records[begin:place]
                begin = place
                self.at += 1
        yield records[begin:]


class _Attributes(Struct):
    source: str
    id: str


_attributes = msgspec.json.Decoder(_Attributes).decode


def identity_of(record: Record) -> tuple[str, str] | None:
    """Source and id of an event, told without decoding it; None where it has none."""
    headers = dict(record.headers)
    if "ce_id" in headers:
        source, name = headers.get("ce_source") or b"", headers["ce_id"] or b""
        return source.decode(errors="replace"), name.decode(errors="replace")
    try:
        found = _attributes(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found.source, found.id


def _identity(cause: EventCause) -> tuple[str, str]:
    return cause.source, cause.id


def _reason(headers: Sequence[tuple[str, bytes | None]]) -> str:
    return (dict(headers)["mms.dlq.reason"] or b"").decode()
