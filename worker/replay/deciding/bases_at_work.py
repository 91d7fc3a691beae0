"""The recorded bases at work in a shard, each for the events that were decided by it.

Most shards know one basis. Where policies or code sets were changed while the topic went on, the results say
by which each event was decided that has any. One that brought about nothing was decided by the same as the
event before it; or else, when that would have brought about something, by another that does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from worker.adjudication.redacted import redacted
from worker.replay.deciding.one_basis import Decisions
from worker.replay.reading.identity import identity_of, named_by
from worker.replay.reading.recorded import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.replay.deciding.one_basis import Deciding
    from worker.replay.reading.evidence import Evidence, Record, Shard
    from worker.replay.reading.identity import Identity
    from worker.stream.histories import Histories


async def told_bases(evidence: Evidence, shard: Shard, digests: Sequence[str]) -> dict[Identity, int]:
    """By which of ``digests`` each event was decided, by its results: a bit for each that one names."""
    if len(digests) == 1:
        return {}
    told: dict[Identity, int] = {}
    bits = {digest: 1 << number for number, digest in enumerate(digests)}
    async for records in evidence.results(shard, shard.results.begin, shard.results.end):
        for record in records:
            said = recorded(record.value)
            if said is not None and said.is_own and said.basis.digest in bits:
                event = named_by(said)
                told[event] = told.get(event, 0) | bits[said.basis.digest]
    return told


@redacted
class AtWork(Struct):
    """Where the bases of a shard stand."""

    basis: int = 0
    """Number of the one that is at work."""
    open: int = 0
    """Events without results since the last with some, of which another basis would have given some."""
    undecidable: int = 0
    """Those of them that lie where the basis changed: a result of theirs may have been taken away."""


class BasesAtWork:
    """Decides the events of a shard, each by its basis."""

    def __init__(
        self, deciding: Sequence[Deciding], told: Mapping[Identity, int], histories: Histories, at: AtWork
    ) -> None:
        """``deciding``: one at least, in the order in which results name them, all of them on ``histories``.

        ``told`` as ``told_bases`` gives it.
        """
        self.histories = histories
        self.at = at
        self._deciding = deciding
        self._told = told
        self._by_place: dict[int, int] = {}

    def decide(self, records: Sequence[Record], shard: Shard) -> Decisions:
        """Decide events in their order."""
        if len(self._deciding) == 1:
            return self._deciding[0].decide(records, shard)
        whole = Decisions([], [])
        self._by_place.clear()
        for part in self._parts(records):
            self._by_place.update(dict.fromkeys([record.offset for record in part], self.at.basis))
            decisions = self._deciding[self.at.basis].decide(part, shard)
            whole.results.extend(decisions.results)
            whole.rejected.extend(decisions.rejected)
        return whole

    def standing(self, record: Record, claim_id: str) -> bytes | None:
        """What stands for a claim after one of the events decided last (``Deciding.standing``)."""
        return self._deciding[self._by_place.get(record.offset, self.at.basis)].standing(record, claim_id)

    def _parts(self, records: Sequence[Record]) -> Iterator[Sequence[Record]]:
        """The records in parts of one basis each; ``at`` is that of the part while it is decided."""
        begin = 0
        tellings = [self._told_of(record) for record in records]
        following, later = [0] * len(tellings), 0
        for place in reversed(range(len(tellings))):
            following[place] = later = tellings[place] or later
        for place, (record, told) in enumerate(zip(records, tellings, strict=True)):
            if told >> self.at.basis & 1:
                self.at.open = 0
                continue
            if begin < place:
                yield records[begin:place]
            begin = place
            if told:
                self._change(told)
            else:  # its member's history has to be as the event before has left it
                self._choose(record, following[place])
                yield records[place : place + 1]
                begin = place + 1
        if begin < len(records):
            yield records[begin:]

    def _change(self, told: int) -> None:
        """Go on with the first of those that are told behind the one at work, else with the first of all."""
        at = self.at
        named = [number for number in range(len(self._deciding)) if told >> number & 1]
        at.basis = next((number for number in named if number > at.basis), named[0])
        at.undecidable, at.open = at.undecidable + at.open, 0

    def _told_of(self, record: Record) -> int:
        identity = identity_of(record)
        return 0 if identity is None else self._told.get(identity, 0)

    def _choose(self, record: Record, told_next: int) -> None:
        """Go on with one by which an event brings about nothing: with that at work if it can be.

        ``told_next`` is what the next event of the batch with results tells, 0 where there is none. If it is
        that at work still, there was no change between.
        """
        at = self.at
        if told_next >> at.basis & 1:
            return
        giving = [one.would_publish(record) for one in self._deciding]
        order = sorted(range(len(giving)), key=lambda number: (number < at.basis, number))
        at.basis = next((number for number in order if not giving[number]), at.basis)
        at.open += any(giving) and not giving[at.basis]
