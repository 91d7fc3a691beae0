"""Decisions are pure: they import only what is listed here, tell no time and touch nothing outside.

The import contracts see modules; this sees calls, such as ``date.today()`` of a module that is allowed.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import worker.adjudication

SOURCES = sorted(Path(worker.adjudication.__file__).parent.rglob("*.py"))

IMPORTS = frozenset(
    [
        "__future__",
        "bisect",
        "collections",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "functools",
        "hashlib",
        "itertools",
        "json",
        "msgspec",
        "operator",
        "orjson",
        "re",
        "typing",
        "uuid",
    ]
)
PACKAGE = "worker.adjudication"

WORLD = frozenset(["open", "print", "input", "eval", "exec", "compile", "breakpoint", "__import__"])
# Different at another time, in another process or on another machine, so that a result would be too.
UNSTABLE = frozenset(
    ["hash", "now", "today", "utcnow", "fromtimestamp", "uuid1", "uuid4", "uuid6", "uuid7", "getnode"]
)


def impurities(source: str) -> list[str]:
    """Every import, name or attribute of the source that a pure decision has no use for, with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [(node.lineno, name.name) for name in names if not _importable(name.name)]
            case ast.ImportFrom(module=module, names=names, level=level):
                if level or not _importable(module or ""):
                    found.append((node.lineno, "." * level + (module or "")))
                found += [(node.lineno, name.name) for name in names if name.name in WORLD | UNSTABLE]
            case ast.Name(id=name, ctx=ast.Load()) if name in WORLD | UNSTABLE:
                found.append((node.lineno, name))
            case ast.Attribute(attr=name) if name in UNSTABLE:
                found.append((node.lineno, name))
    return [f"line {line}: {what}" for line, what in sorted(found)]


def _importable(module: str) -> bool:
    return module.partition(".")[0] in IMPORTS or f"{module}.".startswith(f"{PACKAGE}.")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_decisions_are_pure(path: Path) -> None:
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "impurity"),
    [
        ("import time", "line 1: time"),
        ("import os.path", "line 1: os.path"),
        ("from random import random", "line 1: random"),
        ("import worker.codes.catalog", "line 1: worker.codes.catalog"),
        ("import worker.adjudicationx", "line 1: worker.adjudicationx"),
        ("from worker import settings", "line 1: worker"),
        ("from .. import settings", "line 1: .."),
        ("def f():\n    import socket", "line 2: socket"),
        ("from datetime import date\ndate.today()", "line 2: today"),
        ("import datetime\nclock = datetime.datetime.now", "line 2: now"),
        ("from uuid import uuid4", "line 1: uuid4"),
        ("import uuid\nuuid.uuid1()", "line 2: uuid1"),
        ("open('claims')", "line 1: open"),
        ("log = print", "line 1: print"),
        ("__import__('os')", "line 1: __import__"),
        ("sorted(claims, key=hash)", "line 1: hash"),
    ],
)
def test_an_impure_line_is_found(source: str, impurity: str) -> None:
    assert impurities(source) == [impurity]


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import date\ndate.fromisoformat(text)",
        "import re\nre.compile('a')",
        "from uuid import uuid5",
        "from worker.adjudication import claim",
        "import worker.adjudication.claim",
        "event.id",
        "record.open",
    ],
)
def test_a_pure_line_passes(source: str) -> None:
    assert impurities(source) == []
