"""Puts together what is told of a shard: from a match, a turned decision or a leftover to rows and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from worker.replay.matching.matcher import Match
from worker.replay.reading.recorded import outcome_told, recorded
from worker.replay.telling.billed import billed_lines
from worker.replay.telling.causes import MISSING, SAME_DIGESTS, SUPERSEDES, Told, told
from worker.replay.telling.comparing import Changed, changed_bytes, one_sided
from worker.replay.telling.outcome import NONE
from worker.replay.telling.teller import Found, Teller

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from worker.replay.deciding.one_basis import Decisions
    from worker.replay.deciding.what_if import Compared
    from worker.replay.matching.leftovers import Leftover
    from worker.replay.matching.waiting import Expected
    from worker.replay.planning.plan import Plan
    from worker.replay.reading.evidence import Record, Shard
    from worker.replay.reading.recorded import Recorded
    from worker.replay.telling.differences import Difference
    from worker.replay.telling.masking import Masking
    from worker.replay.telling.teller import Tellings
    from worker.stream.histories import Histories


class Results:
    """What is counted and told of a shard."""

    def __init__(self, shard: Shard, tellings: Tellings, plan: Plan, masking: Masking | None) -> None:
        """``tellings`` are added to. Published results are masked by ``masking`` where there is one."""
        self._shard = shard
        self._tellings = tellings
        self._counts = tellings.counts
        self._masking = masking
        self._is_reproduction = plan.kind == "replay"
        self._bases = {basis.digest: basis for basis in plan.recorded}
        self._teller = Teller(shard.number, tellings, with_phi=plan.with_phi)

    def count_events(self, records: Sequence[Record]) -> None:
        """Count events, of the window and before it."""
        counts, tellings = self._counts, self._tellings
        for record in records:
            if self._shard.has(record.offset, record.timestamp):
                counts.events_replayed += 1
                if record.timestamp > 0:
                    tellings.first_ms = min(tellings.first_ms or record.timestamp, record.timestamp)
                    tellings.last_ms = max(tellings.last_ms or record.timestamp, record.timestamp)
            else:
                counts.events_warmed_up += 1

    def count_decisions(self, decisions: Decisions, records: Sequence[Record]) -> None:
        """Count what events of the window came to."""
        counts = self._counts
        counts.results_decided += sum([one.counts for one in decisions.results])
        if decisions.rejected:
            times = {record.offset: record.timestamp for record in records}
            for place, reason in decisions.rejected:
                if self._shard.has(place, times[place]):
                    counts.events_rejected[reason] = counts.events_rejected.get(reason, 0) + 1

    def count_reproduced(self, outcomes: Counter[str]) -> None:
        """Count pairs that are equal, by outcome."""
        for outcome, number in outcomes.items():
            self._counts.reproduced += number
            self._counts.results_published += number
            if self._is_reproduction:
                self._count_flow(outcome, outcome, number)

    def tell_missing(
        self, one: Expected, records: Sequence[Record], histories: Histories
    ) -> Sequence[Difference]:
        """A result that was never published."""
        return self.tell_match(Match(one, None), records, histories)

    def tell_match(
        self, match: Match, records: Sequence[Record], histories: Histories
    ) -> Sequence[Difference]:
        """A pair that is not equal, or a result that was never published; ``records`` may have its event."""
        one, other = match
        replayed = recorded(one.value)
        said = None if other is None else recorded(other.value)
        if replayed is None:
            raise ValueError("what this engine encodes can be decoded")
        event = next((record for record in records if record.offset == one.place), None)
        if other is None:
            cause, changes = MISSING, one_sided(replayed, is_before=False)
        else:
            self._counts.results_published += 1
            cause = self._told(said, replayed, same_value=other.value == one.value)
            said = self._masked(said)
            changes = [Changed(None, "bytes", None, None)] if said is None else changed_bytes(said, replayed)
        self._count_sides(said, replayed)
        return self._teller.tell(
            Found(
                cause,
                changes,
                said,
                replayed,
                one.place,
                None if other is None else other.place,
                one.timestamp,
                billed_lines(replayed.claim_id, event, histories.of(one.key or b"")),
            )
        )

    def _told(self, said: Recorded | None, replayed: Recorded, *, same_value: bool) -> Told:
        """The cause; of a result that differs by what it supersedes alone, that of the superseded one."""
        cause = told(said, replayed, self._bases, same_value=same_value)
        if said is None:
            return cause
        former, why = self._tellings.replaced.get(replayed.supersedes or "", ("", None))
        if cause is SAME_DIGESTS and why is not None and said.supersedes == former:
            if replace(said, supersedes=replayed.supersedes) == replayed:
                return Told(why, SUPERSEDES)
        elif said.is_own and said.result_id != replayed.result_id:
            self._tellings.replaced[replayed.result_id] = (said.result_id, cause.cause)
        return cause

    def _masked(self, said: Recorded | None) -> Recorded | None:
        return said if said is None or self._masking is None else self._masking.masked(said)

    def tell_leftover(self, leftover: Leftover, histories: Histories) -> Sequence[Difference]:
        """A published result that nothing belongs to."""
        published, said, event = leftover.published, self._masked(leftover.said), leftover.event
        self._counts.results_published += 1
        self._count_sides(said, None)
        return self._teller.tell(
            Found(
                leftover.told,
                one_sided(said, is_before=True),
                said,
                None,
                None if event is None else event.offset,
                published.place,
                published.timestamp if event is None else event.timestamp,
                billed_lines(said.claim_id, None, histories.of(said.member_id.encode())) if said else {},
            )
        )

    def tell_compared(
        self, compared: Sequence[Compared], records: Sequence[Record], histories: Histories
    ) -> Sequence[Difference]:
        """What another basis says of a part's events, beside what was said."""
        by_place = {record.offset: record for record in records}
        rows: list[Difference] = []
        for before, after, turned in compared:
            self._count_flow(before, after, 1)
            if turned is not None:
                event = by_place[turned.place]
                either = turned.before or turned.after
                billed = billed_lines(
                    either.claim_id if either else "", event, histories.of(event.key or b"")
                )
                place = (turned.place, None, event.timestamp)
                rows += self._teller.tell(
                    Found(turned.told, turned.changes, turned.before, turned.after, *place, billed)
                )
        return rows

    def _count_sides(self, before: Recorded | None, after: Recorded | None) -> None:
        if self._is_reproduction:
            self._count_flow(outcome_told(before), outcome_told(after), 1)

    def _count_flow(self, before: str, after: str, number: int) -> None:
        counts = self._counts
        if before != NONE:
            counts.outcomes_before[before] = counts.outcomes_before.get(before, 0) + number
        if after != NONE:
            counts.outcomes_after[after] = counts.outcomes_after.get(after, 0) + number
        flows = counts.outcome_flows.setdefault(before, {})
        flows[after] = flows.get(after, 0) + number
