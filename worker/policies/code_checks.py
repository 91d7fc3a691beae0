"""Whether the codes that a policy names exist and may be used while it is in force.

The codes are a vocabulary that the caller brings, since policies know no code sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Literal, TypeAlias

from worker.adjudication.policy import Adjustment, Document, Version
from worker.policies.form import Misfit
from worker.policies.rules import Section

CodeKind: TypeAlias = Literal["procedure", "modifier", "group", "carc", "rarc"]
Vocabulary: TypeAlias = Mapping[CodeKind, Mapping[str, date | None]]
"""The codes that exist, by kind, each with the last day on which it may be used; None is open."""

_NAMES: Mapping[CodeKind, str] = {
    "procedure": "procedure", "modifier": "modifier", "group": "group code", "carc": "CARC", "rarc": "RARC",
}  # fmt: skip

_KINDS: Mapping[Section, Mapping[str, CodeKind]] = {
    "necessity": {"procedures": "procedure"},
    "structure": {
        "first_stages": "procedure",
        "additional_stages": "procedure",
        "additional_blocks": "procedure",
        "central_procedures": "procedure",
        "peripheral_procedures": "procedure",
        "distinct_lesion_modifiers": "modifier",
        "component_modifiers": "modifier",
    },
    "bundling": {"biopsy_modifiers": "modifier"},
    "edits": {"em_only_modifiers": "modifier"},
}
"""The keys under which a section names codes one by one; the bounds of a range need not be codes."""

Named: TypeAlias = tuple[str, CodeKind, str]
"""A key, the kind of code that stands there, and the code."""


def misfits_of_codes(document: Document, vocabulary: Vocabulary) -> Iterator[Misfit]:
    """Codes that nobody publishes, or that may no longer be used while the version is in force."""
    yield from _misfits_of_named(
        _in_adjustment(document.pend, "pend"), document.versions[-1].until, vocabulary
    )
    for position, version in enumerate(document.versions):
        named = _in_version(version, f"versions[{position}]")
        yield from _misfits_of_named(named, version.until, vocabulary)


def _misfits_of_named(named: Iterator[Named], until: date | None, vocabulary: Vocabulary) -> Iterator[Misfit]:
    for key, kind, code in named:
        known = vocabulary[kind]
        last = known.get(code)
        if code not in known:
            yield Misfit(key, f"there is no {_NAMES[kind]} {code}")
        elif last is not None and (until is None or last < until):
            yield Misfit(key, f"{_NAMES[kind]} {code} may not be used after {last}")


def _in_version(version: Version, key: str) -> Iterator[Named]:
    for rule, written in version.rules.items():
        if written.deny is not None:
            yield from _in_adjustment(written.deny, f'{key}.rules."{rule}".deny')
    for name, kinds in _KINDS.items():
        section = getattr(version, name)
        for parameter, kind in kinds.items() if section is not None else ():
            for place, code in _codes(getattr(section, parameter)):
                yield f"{key}.{name}.{parameter}{place}", kind, code


def _in_adjustment(adjustment: Adjustment, key: str) -> Iterator[Named]:
    yield f"{key}.group", "group", adjustment.group
    yield f"{key}.carc", "carc", adjustment.carc
    for position, rarc in enumerate(adjustment.rarc):
        yield f"{key}.rarc[{position}]", "rarc", rarc


def _codes(value: str | Sequence[str] | Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The codes of a parameter, each with its place in it."""
    if isinstance(value, str):
        yield "", value
    elif isinstance(value, Mapping):
        for name, code in value.items():
            yield f".{name}", name
            yield f".{name}", code
    else:
        for position, code in enumerate(value):
            yield f"[{position}]", code
