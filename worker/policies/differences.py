"""What changed between two versions of a policy, or two copies of it, key by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from worker.adjudication.policy import Document, Version


class Change(NamedTuple):
    """A key whose value changed; ``old`` or ``new`` is None where the key was not there.

    Values are what JSON holds: dates and decimals are strings. Members of a list that have a name stand
    under it, as in ``necessity.indications[large-lesion].summary``, so that an inserted one moves no other;
    their order is a value of its own.
    """

    key: str
    old: Any
    new: Any


def differences(old: Document | Version, new: Document | Version) -> list[Change]:
    """Every key that was added, removed or changed, in the order of the old one, then of the new one."""
    before, after = dict(_flat(msgspec.to_builtins(old), "")), dict(_flat(msgspec.to_builtins(new), ""))
    return [
        Change(key, before.get(key), after.get(key))
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    ]


def _flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """The keys of a value with what stands there; what is None is not there."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            step = f'"{name}"' if "." in name else name
            yield from _flat(inner, f"{key}.{step}" if key else step)
        return
    names = _names(value)
    if names:
        yield key, names
        for name, inner in zip(names, value, strict=True):
            yield from _flat(inner, f"{key}[{name}]")
    elif value is not None:
        yield key, value


def _names(value: Any) -> list[str]:
    """The names of a list's members, when each has one of its own."""
    if not isinstance(value, list | tuple) or not all(isinstance(member, Mapping) for member in value):
        return []
    names = [_name(member) for member in value]
    return names if len(set(names)) == len(names) else [str(position) for position in range(len(names))]


def _name(member: Mapping[str, Any]) -> str:
    """A version by its version, an indication by its id, a criterion by its fact."""
    if "fact" in member:
        return str(member["of"] if member["fact"] == "true" else member["fact"])
    return str(member.get("id", member.get("version")))
