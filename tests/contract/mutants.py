"""Systematic mutants of an event: each field dropped, nulled, retyped, or moved across a bound."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

Step = str | int

FOREIGN_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, 1.0, 1.5, -1, 10**30, 1e300, "", "1", "shoulder", "-1.00", "1.005", "1,00",
    "1e2", "٣", "2026-02-30", "2026-02-28\n", "20260228", "2026-2-8", "0000-01-01", "2026-01-01T00:00:00Z",
    "C44311", "c44.311", [], [None], {}, {"x": 1}, ["nodular", "shoulder"], [{}],
)  # fmt: skip


class Mutant(NamedTuple):
    """A changed event, and where it was changed."""

    path: tuple[Step, ...]
    change: str
    event: dict[str, Any]


def json_path(path: tuple[Step, ...]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def places(value: Any, path: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    """Every place in a JSON value, the outermost excepted."""
    steps: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in steps:
        yield (*path, step)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, step))


def at(value: Any, path: tuple[Step, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def replaced(event: dict[str, Any], path: tuple[Step, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(event)
    at(changed, path[:-1])[path[-1]] = copy.deepcopy(value)
    return changed


def dropped(event: dict[str, Any], path: tuple[Step, ...]) -> dict[str, Any]:
    changed = copy.deepcopy(event)
    del at(changed, path[:-1])[path[-1]]
    return changed


def mutants(event: dict[str, Any]) -> Iterator[Mutant]:
    for path in places(event):
        value = at(event, path)
        yield Mutant(path, "dropped", dropped(event, path))
        for foreign in FOREIGN_VALUES:
            yield Mutant(path, f"became {foreign!r}", replaced(event, path, foreign))
        if isinstance(value, str):
            yield Mutant(path, "got a trailing newline", replaced(event, path, value + "\n"))
        if isinstance(value, int) and not isinstance(value, bool):
            yield Mutant(path, "became an integral float", replaced(event, path, float(value)))
        if isinstance(value, dict):
            yield Mutant(path, "got an unknown field", replaced(event, path, {**value, "x-note": [1.5, {}]}))


def generic(path: tuple[Step, ...]) -> tuple[Step, ...]:
    """The path with every position 0: mutants of one field need not be tried on each line."""
    return tuple(0 if isinstance(step, int) else step for step in path)
