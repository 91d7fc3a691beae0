"""Settles what a replay is about to do, and refuses evidence that proves nothing, before it begins."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from worker.adjudication.result import Cause
from worker.replay.archives import FileSource
from worker.replay.basis import Basis, basis_at, counted, find_bases, with_others
from worker.replay.plan import Plan, TopicRead
from worker.replay.prechecks import check_events, check_evidence
from worker.replay.redeciding import Run
from worker.replay.scanning import scan
from worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.replay.archives import FileFacts
    from worker.replay.basis import Named
    from worker.replay.evidence import Shard
    from worker.replay.plan import Asked
    from worker.replay.scanning import Scanned
    from worker.replay.topics import TopicSource

NO_CAUSE = Cause("", "", "")


async def planned(source: TopicSource | FileSource, asked: Asked) -> Plan:
    """The plan of a replay with the bases that its results name, and with others if such are asked for.

    Raises EvidenceError where the evidence is cut off or does not belong together, where a basis is not to
    be found, or where what is given to decide by does not check.
    """
    inputs, shards = await _surveyed(source)
    shards = asked.shards or shards
    async with source.open() as evidence:
        scanned = [await scan(evidence, shard) for shard in shards]
        recorded = _recorded(scanned, asked)
        other = _other(recorded[0], asked)
        await check_evidence(evidence, shards, scanned)
    return Plan(
        kind="replay" if other is None else "what-if",
        source=source,
        inputs=inputs,
        shards=tuple(shards),
        recorded=recorded,
        other=other,
        limits=asked.limits,
        with_phi=asked.with_phi,
        runs=_runs(scanned, recorded[0]),
        deciding=_deciding(source),
        other_policies=_other_policies(recorded[0], asked),
        asked_from=asked.begin,
        asked_to=asked.end,
    )


async def planned_impact(source: FileSource, asked: Asked, base: Basis) -> Plan:
    """The plan of a comparison of ``base`` with other policies, code sets or payers, over events alone."""
    inputs, shards = await _surveyed(source)
    shards = asked.shards or shards
    check_events(shards)
    return Plan(
        kind="impact",
        source=source,
        inputs=inputs,
        shards=tuple(shards),
        recorded=(base,),
        other=_other(base, asked),
        limits=asked.limits,
        with_phi=asked.with_phi,
        runs=tuple((Run(base.digest, NO_CAUSE),) for _ in shards),
        deciding=_deciding(source),
        other_policies=_other_policies(base, asked),
        asked_from=asked.begin,
        asked_to=asked.end,
    )


async def _surveyed(
    source: TopicSource | FileSource,
) -> tuple[tuple[FileFacts | TopicRead, ...], Sequence[Shard]]:
    if isinstance(source, FileSource):
        survey = source.survey()
        return survey.files, survey.shards
    settings = source.settings
    read = (TopicRead("events", settings.input_topic), TopicRead("results", settings.results_topic))
    return read, await source.shards()


def _recorded(scanned: Sequence[Scanned], asked: Asked) -> tuple[Basis, ...]:
    """The bases that are named, that of most results first; where none is, that of the package."""
    named: Counter[Named] = sum((one.named for one in scanned), Counter())
    if not named:
        return (basis_at(None, None, None),)
    found = find_bases(list(named), asked.basis)
    return counted(found.values(), {one.digest: number for one, number in named.items()})


def _runs(scanned: Sequence[Scanned], usual: Basis) -> tuple[tuple[Run, ...], ...]:
    """Of each shard; one without results is decided by what most results were decided by."""
    return tuple(tuple(one.runs) or (Run(usual.digest, NO_CAUSE),) for one in scanned)


def _other(base: Basis, asked: Asked) -> Basis | None:
    if asked.policies is asked.codes is asked.payers is None:
        return None
    return with_others(base, asked.policies, asked.codes, asked.payers)


def _other_policies(base: Basis, asked: Asked) -> Basis | None:
    """The other policies alone, where code sets are others too: it tells by which a decision differs."""
    if asked.codes is None or asked.policies is asked.payers is None:
        return None
    return with_others(base, asked.policies, None, asked.payers)


def _deciding(source: TopicSource | FileSource) -> Settings:
    """Of files it is not known on which partition a record was: nothing can be said of a wrong one."""
    if isinstance(source, FileSource):
        return Settings.model_construct(key_partition_check=False)
    return source.settings
