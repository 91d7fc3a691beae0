"""Reads parts of topics once more, to tell whether they are what a replay has read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.replay.reading.chain import Chain, ChainState
from worker.replay.reading.evidence import EvidenceError, Shard, Span
from worker.replay.reading.topics import TopicSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from worker.replay.output.manifest import PartitionRead
    from worker.replay.reading.evidence import Evidence, Record
    from worker.settings import Settings

_SETTING = {"events": "input_topic", "results": "results_topic"}


async def reread(parts: Sequence[PartitionRead], settings: Settings) -> list[ChainState | str]:
    """What each part comes to now; in words where it is not there any more.

    Topics are those of the parts, whatever the settings call theirs. Raises what aiokafka raises.
    """
    topics = {_SETTING[part.role]: part.topic for part in parts}
    async with TopicSource(settings.model_copy(update=topics)).open() as evidence:
        return [await _reread(part, evidence) for part in parts]


async def _reread(part: PartitionRead, evidence: Evidence) -> ChainState | str:
    chain = Chain()
    try:
        async for records in _records(evidence, part):
            chain.take(records[: part.records - chain.records])
            if chain.records == part.records:
                break
    except EvidenceError as error:
        return str(error)
    return chain.state


def _records(evidence: Evidence, part: PartitionRead) -> AsyncIterator[Sequence[Record]]:
    span = Span(part.begin, part.end)
    shard = Shard(part.partition, span, span, part.end, span)
    read = evidence.events if part.role == "events" else evidence.results
    return read(shard, part.begin, part.end)
