"""Records in batches of one size, however they were delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from worker.replay.reading.evidence import Record


async def in_batches(chunks: AsyncIterator[Sequence[Record]], size: int) -> AsyncIterator[Sequence[Record]]:
    """The records of all chunks, ``size`` at a time; the last batch has what is left, one at least."""
    batch: list[Record] = []
    async for chunk in chunks:
        batch.extend(chunk)
        while len(batch) >= size:
            yield batch[:size]
            del batch[:size]
    if batch:
        yield batch
