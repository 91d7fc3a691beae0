"""Reads parts of topics once more, to tell whether they are what a replay has read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from worker.replay.reading.chain import Chain, ChainState
from worker.replay.reading.evidence import EvidenceError, Shard, Span
from worker.replay.reading.topics import TopicSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from worker.replay.output.manifest import PartitionRead
    from worker.replay.reading.evidence import Evidence, Record
    from worker.replay.signatures.tally import Signatures
    from worker.settings import Settings

_SETTING = {"events": "input_topic", "results": "results_topic"}


class Again(NamedTuple):
    """What a part comes to now."""

    state: ChainState | str
    """In words where it is not there any more."""
    signatures: Signatures | None
    """Of results, where they were asked for."""


async def reread(
    parts: Sequence[PartitionRead], settings: Settings, begun: Callable[[], Signatures] | None = None
) -> list[Again]:
    """What each part comes to now. ``begun`` begins to count signatures, where they are asked for.

    Topics are those of the parts, whatever the settings call theirs. Raises what aiokafka raises.
    """
    topics = {_SETTING[part.role]: part.topic for part in parts}
    async with TopicSource(settings.model_copy(update=topics)).open() as evidence:
        return [
            await _reread(part, evidence, begun() if begun is not None and part.role == "results" else None)
            for part in parts
        ]


async def _reread(part: PartitionRead, evidence: Evidence, signatures: Signatures | None) -> Again:
    chain = Chain()
    try:
        async for records in _records(evidence, part):
            some = records[: part.records - chain.records]
            chain.take(some)
            if signatures is not None:
                signatures.take(some)
            if chain.records == part.records:
                break
    except EvidenceError as error:
        return Again(str(error), None)
    return Again(chain.state, signatures)


def _records(evidence: Evidence, part: PartitionRead) -> AsyncIterator[Sequence[Record]]:
    span = Span(part.begin, part.end)
    shard = Shard(part.partition, span, span, part.end, span)
    read = evidence.events if part.role == "events" else evidence.results
    return read(shard, part.begin, part.end)
