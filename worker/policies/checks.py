"""What has to hold within and between policies beyond the form of each key.

Every check is a function from typed values to misfits; none reads a file. Whether codes exist is asked by
``worker.policies.code_checks``.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

from worker.adjudication.policy import (
    BordersAre,
    CodeRange,
    Criterion,
    Document,
    HistologyHas,
    SiteIn,
    Structure,
    Version,
)
from worker.policies.form import Misfit, Payers
from worker.policies.rules import OWNERS, RULES


def misfits_of(document: Document, stem: str) -> Iterator[Misfit]:
    """What is wrong within one policy; ``stem`` is its file's name without ``.toml``."""
    if document.id != stem:
        yield Misfit("id", f"the file is named {stem}.toml, so the id is {stem!r}")
    yield from _misfits_of_succession(document.versions)
    for position, version in enumerate(document.versions):
        key = f"versions[{position}]"
        yield from _misfits_of_sections(document.id, version, key)
        yield from _misfits_of_rules(version, key)
        yield from _misfits_of_indications(version, f"{key}.necessity.indications")
        for where, ranges in _ranges(version, key):
            yield from _misfits_of_ranges(ranges, where)
        if version.structure is not None:
            yield from _misfits_of_structure(version.structure, f"{key}.structure")


def misfits_of_payers(
    payers: Payers, documents: Mapping[str, Document], unread: Container[str] = ()
) -> Iterator[Misfit]:
    """Payers that name no policy, or one that does not say when Mohs surgery is necessary.

    ``unread`` names policies whose files have faults of their own and are no payer's fault.
    """
    named = {"default": payers.default}
    named |= {f'necessity."{payer}"': policy for payer, policy in payers.necessity.items()}
    for key, policy in named.items():
        document = documents.get(policy)
        if document is None:
            if policy not in unread:
                yield Misfit(key, f"there is no policy {policy!r}")
        elif any(version.necessity is None for version in document.versions):
            yield Misfit(key, f"the policy {policy!r} has a version without [necessity]")


def _misfits_of_succession(versions: Sequence[Version]) -> Iterator[Misfit]:
    """Versions follow one another without a day between them and without a day in common."""
    for position, version in enumerate(versions):
        if version.until is not None and version.until < version.effective:
            yield Misfit(f"versions[{position}].until", "a version ends before it begins")
        if any(earlier.version == version.version for earlier in versions[:position]):
            yield Misfit(f"versions[{position}].version", f"two versions are named {version.version!r}")
    for position, (version, following) in enumerate(pairwise(versions), start=1):
        key = f"versions[{position}].effective"
        if following.effective <= version.effective:
            yield Misfit(key, "versions stand in the order of their dates, each effective on a later day")
        elif version.until is None or version.until >= following.effective:
            last = "is open-ended" if version.until is None else f"lasts until {version.until}"
            yield Misfit(key, f"it overlaps version {version.version!r}, which {last}")
        elif version.until + timedelta(days=1) < following.effective:
            yield Misfit(
                key, f"it leaves a gap after version {version.version!r}, which ends {version.until}"
            )


def _misfits_of_sections(policy: str, version: Version, key: str) -> Iterator[Misfit]:
    for section, owner in OWNERS.items():
        present = getattr(version, section) is not None
        if policy == owner and not present:
            yield Misfit(key, f"the policy {owner!r} needs [{section}] in every version")
        elif policy != owner and present:
            yield Misfit(f"{key}.{section}", f"only the policy {owner!r} is asked for it")


def _misfits_of_rules(version: Version, key: str) -> Iterator[Misfit]:
    """Every rule of the version's sections is written, with reason codes just where it denies."""
    expected = {
        rule: denies
        for section, rules in RULES.items()
        if getattr(version, section) is not None
        for rule, denies in rules.items()
    }
    for rule, denies in expected.items():
        where = f'{key}.rules."{rule}"'
        written = version.rules.get(rule)
        if written is None:
            yield Misfit(where, "the engine needs this rule's citation")
        elif denies and written.deny is None:
            yield Misfit(f"{where}.deny", "this rule denies and needs reason codes")
        elif not denies and written.deny is not None:
            yield Misfit(f"{where}.deny", "this rule never denies and has no reason codes")
    for rule in [rule for rule in version.rules if rule not in expected]:
        yield Misfit(f'{key}.rules."{rule}"', "no section of this version has such a rule")


def _misfits_of_indications(version: Version, key: str) -> Iterator[Misfit]:
    indications = version.necessity.indications if version.necessity else ()
    seen = {rule.removeprefix("necessity."): "a rule of that id" for rule in RULES["necessity"]}
    for position, indication in enumerate(indications):
        if indication.id in seen:
            yield Misfit(f"{key}[{position}].id", f"there is {seen[indication.id]} already")
        seen[indication.id] = "an indication of that id"
        for place, criterion in enumerate(indication.any_of):
            if _is_empty(criterion):
                yield Misfit(f"{key}[{position}].any_of[{place}]", "it names nothing, so it is never met")


def _is_empty(criterion: Criterion) -> bool:
    match criterion:
        case SiteIn(one_of=words) | BordersAre(one_of=words) | HistologyHas(any_of=words):
            return not words
        case _:
            return False


def _misfits_of_ranges(ranges: Sequence[CodeRange], key: str) -> Iterator[Misfit]:
    for position, (first, last) in enumerate(ranges):
        if first > last:
            yield Misfit(f"{key}[{position}]", f"the range begins at {first}, after its end {last}")


def _misfits_of_structure(structure: Structure, key: str) -> Iterator[Misfit]:
    for site in structure.peripheral_sites:
        if site in structure.central_sites:
            yield Misfit(f"{key}.peripheral_sites", f"{site!r} is one of central_sites too")
    for stage, first in structure.additional_stages.items():
        if first not in structure.first_stages:
            yield Misfit(f"{key}.additional_stages.{stage}", f"{first} is none of first_stages")


def _ranges(version: Version, key: str) -> Iterator[tuple[str, Sequence[CodeRange]]]:
    if version.bundling is not None:
        yield f"{key}.bundling.repairs", version.bundling.repairs
        yield f"{key}.bundling.biopsies", version.bundling.biopsies
        yield f"{key}.bundling.pathology", version.bundling.pathology
    if version.edits is not None:
        yield f"{key}.edits.em", version.edits.em
