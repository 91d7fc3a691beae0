"""A first look at the published results of a shard: which bases they name, and where each begins."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from worker.adjudication.redacted import redacted
from worker.replay.planning.basis import Named
from worker.replay.reading.recorded import recorded

if TYPE_CHECKING:
    from worker.replay.reading.evidence import Evidence, Shard
    from worker.replay.reading.recorded import Recorded

FIRST = 100
"""Results at the beginning of a shard by which it is told whether its events are there."""
LAST = 100


@redacted
class Scanned(NamedTuple):
    """What the results of a shard say of themselves. Those whose own id does not fit are left out."""

    named: dict[Named, int]
    """How many name each basis, in the order in which it is named first."""
    first: list[Recorded]
    """The first ``FIRST`` of them."""
    last: list[Recorded]
    """The last ``LAST`` that can be read, changed ones too: their events were decided."""
    total: int
    """All results, those among them that are left out above."""


async def scan(evidence: Evidence, shard: Shard) -> Scanned:
    """Look at all results of a shard once.

    A result whose id is not that of what it says was changed by somebody: no basis is looked for on its word.
    """
    scanned, total = Scanned({}, [], [], 0), 0
    tail: deque[bytes] = deque(maxlen=LAST)
    known: dict[bytes, Named] = {}
    async for records in evidence.results(shard, shard.results.begin, shard.results.end):
        total += len(records)
        tail.extend(record.value or b"" for record in records[-LAST:])
        for record in records:
            value = record.value or b""
            named = known.get(_basis(value))
            if named is None or len(scanned.first) < FIRST:
                said = recorded(value)
                if said is None or not said.is_own:
                    continue
                if len(scanned.first) < FIRST:
                    scanned.first.append(said)
                named = known[_basis(value)] = Named(said.basis.engine, said.basis.digest)
            scanned.named[named] = scanned.named.get(named, 0) + 1
    last = [said for value in tail if (said := recorded(value)) is not None]
    return scanned._replace(total=total, last=last)


def _basis(value: bytes) -> bytes:
    """What a result says of its basis but for the history: equal bytes name an equal basis."""
    return value[value.rfind(b',"basis":{') : value.rfind(b',"history_digest":')]
