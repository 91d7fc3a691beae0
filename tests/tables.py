"""The specification tables: TOML whose entries are templates, with a row of values for each case."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest


def entries(tables: Iterable[Path], kind: str) -> Iterator[Any]:
    """Every entry of a kind (``case``, ``story``), filled in for each row, as pytest parameters."""
    for table in tables:
        for entry in tomllib.loads(table.read_text())[kind]:
            for row in entry.pop("each", [{}]):
                filled = _fill(entry, row)
                yield pytest.param(filled, id=f"{table.stem}: {filled['name']}")


def _fill(template: Any, row: dict[str, Any]) -> Any:
    """The template with each ``$name`` replaced; a string that is nothing else becomes the value itself."""
    if isinstance(template, dict):
        return {_fill(key, row): _fill(value, row) for key, value in template.items()}
    if isinstance(template, list):
        return [_fill(value, row) for value in template]
    if not isinstance(template, str):
        return template
    if template.startswith("$") and template[1:] in row:
        return row[template[1:]]
    return re.sub(r"\$(\w+)", lambda name: str(row[name[1]]), template)
