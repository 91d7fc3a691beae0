"""What other policies or code sets would have said of the same events, beside what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from worker.adjudication.redacted import redacted
from worker.replay.reading.recorded import outcome_of, outcome_told, recorded
from worker.replay.telling.causes import OTHER_CODE_SETS, OTHER_POLICIES, Told
from worker.replay.telling.comparing import changed_by, is_same_content, one_sided

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.replay.deciding.one_basis import Deciding
    from worker.replay.matching.waiting import Expected
    from worker.replay.reading.evidence import Record, Shard
    from worker.replay.reading.recorded import Recorded
    from worker.replay.telling.comparing import Changed

CLAIM = b'"claim_id":'
MEMBER = b',"member_id":'


@redacted
class Turned(NamedTuple):
    """What was said of a claim on an event, and what would be said; None where nothing is said of it."""

    place: int
    before: Recorded | None
    after: Recorded | None
    told: Told
    changes: Sequence[Changed]


@redacted
class Compared(NamedTuple):
    """A claim that either side tells of: its outcomes, and what is decided differently, if anything is."""

    before: str
    after: str
    turned: Turned | None


class Own(Protocol):
    """What has decided the events already (``BasesAtWork``)."""

    def standing(self, record: Record, claim_id: str) -> bytes | None:
        """As ``Deciding.standing``."""


class Other(NamedTuple):
    """Another basis at work."""

    told: Told
    deciding: Deciding


def others_of(policies: Deciding | None, both: Deciding, *, codes: bool) -> tuple[Other, ...]:
    """The bases to compare with, the last being the one that was asked for.

    Where both policies and code sets are others, the policies alone are at work too: what differs already
    by them differs by policy, the rest by code set.
    """
    last = Other(OTHER_CODE_SETS if codes else OTHER_POLICIES, both)
    return (last,) if policies is None else (Other(OTHER_POLICIES, policies), last)


def apart(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """The records in parts in which no member is twice: then histories after a part are those after each."""
    begin = 0
    seen: set[bytes | None] = set()
    for place, record in enumerate(records):
        if record.key in seen:
            yield records[begin:place]
            begin = place
            seen.clear()
        seen.add(record.key)
    yield records[begin:]


class Turning:
    """Compares decisions by the recorded basis with those by another."""

    def __init__(self, others: Sequence[Other]) -> None:
        """``others`` as ``others_of`` gives them."""
        self._others = others

    def compare(
        self, records: Sequence[Record], shard: Shard, own: Own, said: Sequence[Expected]
    ) -> list[Compared]:
        """Decide a part's events by the others, and compare with what ``own`` said of the same events."""
        sides = [_by_claim(said)]
        sides += [_by_claim(other.deciding.decide(records, shard).results) for other in self._others]
        by_place = {record.offset: record for record in records}
        found = []
        for key in sorted({*sides[0], *sides[-1]}):
            record = by_place[key[0]]
            if shard.has(record.offset, record.timestamp):
                found.append(self._compared(record, key, sides, own))
        return found

    def _compared(
        self,
        record: Record,
        key: tuple[int, bytes],
        sides: Sequence[Mapping[tuple[int, bytes], bytes]],
        own: Own,
    ) -> Compared:
        before, after = sides[0].get(key), sides[-1].get(key)
        if before is not None and after is not None and is_same_content(before, after):
            outcome = outcome_of(before)
            return Compared(outcome, outcome, None)
        working: list[Own] = [own, *(other.deciding for other in self._others)]
        claim_id = _claim_id(before or after or b"")
        told = [
            recorded(side.get(key) or deciding.standing(record, claim_id))
            for side, deciding in zip(sides, working, strict=True)
        ]
        return Compared(outcome_told(told[0]), outcome_told(told[-1]), self._turned(record.offset, told))

    def _turned(self, place: int, told: Sequence[Recorded | None]) -> Turned | None:
        """What differs between the first and the last, and by which of the others it began to."""
        changes = _changes(told[0], told[-1])
        if not changes:
            return None
        by = next(
            (other.told for other, one in zip(self._others, told[1:], strict=True) if _changes(told[0], one)),
            self._others[-1].told,
        )
        return Turned(place, told[0], told[-1], by, changes)


def _changes(before: Recorded | None, after: Recorded | None) -> Sequence[Changed]:
    if before is None or after is None:
        return [] if before is after else one_sided(before or after, is_before=after is None)
    return changed_by(before, after)


def _by_claim(results: Sequence[Expected]) -> dict[tuple[int, bytes], bytes]:
    """Values by the place of their event and the claim, as it is written in the value."""
    return {
        (one.place, one.value[one.value.find(CLAIM) : one.value.find(MEMBER)]): one.value for one in results
    }


def _claim_id(value: bytes) -> str:
    said = recorded(value)
    return "" if said is None else said.claim_id
