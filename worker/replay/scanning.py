"""A first look at the published results of a shard: which bases they name, and where each begins."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from worker.replay.basis import Named
from worker.replay.recorded import recorded
from worker.replay.redeciding import Run

if TYPE_CHECKING:
    from worker.replay.evidence import Evidence, Shard
    from worker.replay.recorded import Recorded

FIRST = 100
"""Results at the beginning of a shard by which it is told whether its events are there."""


class Scanned(NamedTuple):
    """What the results of a shard say of themselves. Those whose own id does not fit are left out."""

    runs: list[Run]
    named: Counter[Named]
    first: list[Recorded]
    """The first ``FIRST`` of them."""
    total: int
    """All that there are."""


async def scan(evidence: Evidence, shard: Shard) -> Scanned:
    """Look at all results of a shard once.

    A result whose id is not that of what it says was changed by somebody: no basis is looked for on its word.
    """
    runs: list[Run] = []
    named: Counter[Named] = Counter()
    first: list[Recorded] = []
    total, last = 0, Named("", "")
    known: dict[bytes, Named] = {}
    async for records in evidence.results(shard, shard.results.begin, shard.results.end):
        total += len(records)
        for record in records:
            value = record.value or b""
            if len(first) >= FIRST and known.get(_basis(value)) == last:
                named[last] += 1
                continue
            said = recorded(value)
            if said is None or not said.is_own:
                continue
            if len(first) < FIRST:
                first.append(said)
            if said.basis.digest != last.digest:
                last = Named(said.basis.engine, said.basis.digest)
                runs.append(Run(last.digest, said.cause))
            known[_basis(value)] = last
            named[last] += 1
    return Scanned(runs, named, first, total)


def _basis(value: bytes) -> bytes:
    """What a result says of its basis but for the history: equal bytes name an equal basis."""
    return value[value.rfind(b',"basis":{') : value.rfind(b',"history_digest":')]
