"""Settles what a replay is about to do, and refuses evidence that proves nothing, before it begins."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from worker.replay.planning.basis import Basis, basis_at, counted, find_bases, with_others
from worker.replay.planning.plan import Plan, TopicRead
from worker.replay.planning.prechecks import check_events, check_evidence, decided_parts
from worker.replay.planning.scanning import scan
from worker.replay.reading.archives import FileSource
from worker.replay.reading.evidence import EvidenceError
from worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.replay.planning.basis import Named
    from worker.replay.planning.plan import Asked, Kind
    from worker.replay.planning.scanning import Scanned
    from worker.replay.reading.archives import FileFacts
    from worker.replay.reading.evidence import Shard
    from worker.replay.reading.topics import TopicSource

    Surveyed: TypeAlias = tuple[tuple[FileFacts | TopicRead, ...], Sequence[Shard]]


async def planned(source: TopicSource | FileSource, asked: Asked) -> Plan:
    """The plan of a replay with the bases that its results name, and with others if such are asked for.

    Raises EvidenceError where the evidence is cut off or does not belong together, where a basis is not to
    be found, or where what is given to decide by does not check.
    """
    inputs, shards = await _surveyed(source)
    shards = asked.shards or shards
    check_events(shards)
    async with source.open() as evidence:
        scanned = [await scan(evidence, shard) for shard in shards]
        recorded = _recorded(scanned, asked)
        if asked.shards is None:
            shards = await decided_parts(evidence, shards, scanned)
        await check_evidence(evidence, shards, scanned)
    return _plan(source, asked, (inputs, shards), recorded, _named(scanned, recorded[0]))


async def planned_impact(source: FileSource, asked: Asked, base: Basis) -> Plan:
    """The plan of a comparison of ``base`` with other policies, code sets or payers, over events alone."""
    inputs, shards = await _surveyed(source)
    shards = asked.shards or shards
    check_events(shards)
    return _plan(source, asked, (inputs, shards), (base,), ((base.digest,),) * len(shards), kind="impact")


def _plan(
    source: TopicSource | FileSource,
    asked: Asked,
    surveyed: Surveyed,
    recorded: tuple[Basis, ...],
    named: tuple[tuple[str, ...], ...],
    *,
    kind: Kind | None = None,
) -> Plan:
    """``kind`` is told by what is asked for where it is not given."""
    inputs, shards = surveyed
    other = _other(recorded, asked)
    return Plan(
        kind=kind or ("replay" if other is None else "what-if"),
        source=source,
        inputs=inputs,
        shards=tuple(shards),
        recorded=recorded,
        other=other,
        limits=asked.limits,
        with_phi=asked.with_phi,
        named=named,
        deciding=_deciding(source),
        other_policies=_other_policies(recorded[0], asked),
        asked_from=asked.begin,
        asked_to=asked.end,
    )


async def _surveyed(source: TopicSource | FileSource) -> Surveyed:
    if isinstance(source, FileSource):
        survey = source.survey()
        return survey.files, survey.shards
    settings = source.settings
    read = (TopicRead("events", settings.input_topic), TopicRead("results", settings.results_topic))
    return read, await source.shards()


def _recorded(scanned: Sequence[Scanned], asked: Asked) -> tuple[Basis, ...]:
    """The bases that are named, that of most results first; where none is, that of the package."""
    named: Counter[Named] = sum((Counter(one.named) for one in scanned), Counter())
    if not named:
        return (basis_at(None, None, None),)
    found = find_bases(named, asked.basis)
    return counted(found.values(), {one.digest: number for one, number in named.items()})


def _named(scanned: Sequence[Scanned], usual: Basis) -> tuple[tuple[str, ...], ...]:
    """Of each shard; one without results is decided by what most results were decided by."""
    return tuple(tuple(named.digest for named in one.named) or (usual.digest,) for one in scanned)


def _other(recorded: Sequence[Basis], asked: Asked) -> Basis | None:
    """The basis to decide by too. What is not asked for of it is that of the results, if they have one."""
    if asked.policies is asked.codes is asked.payers is None:
        return None
    for is_asked, digests, option in (
        (asked.policies, {basis.policies_digest for basis in recorded}, "--policies"),
        (asked.codes, {basis.code_sets_digest for basis in recorded}, "--codes"),
    ):
        if is_asked is None and len(digests) > 1:
            raise EvidenceError(
                f"the results were decided by {len(digests)} different {option.removeprefix('--')}: say by "
                f"which all of them are to be decided ({option}), or replay a part that knows one"
            )
    return with_others(recorded[0], asked.policies, asked.codes, asked.payers)


def _other_policies(base: Basis, asked: Asked) -> Basis | None:
    """The other policies alone, where code sets are others too: it tells by which a decision differs.

    Their code sets are those of most results.
    """
    if asked.codes is None or asked.policies is asked.payers is None:
        return None
    return with_others(base, asked.policies, None, asked.payers)


def _deciding(source: TopicSource | FileSource) -> Settings:
    """Of files it is not known on which partition a record was: nothing can be said of a wrong one."""
    if isinstance(source, FileSource):
        return Settings.model_construct(key_partition_check=False)
    return source.settings
