"""What the build hook compiles to C, as pyproject.toml tells it: names of modules."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def included() -> set[str]:
    """The modules that the hook is pointed at."""
    return {
        module_of(path.relative_to(ROOT)) for pattern in _hook()["include"] for path in ROOT.glob(pattern)
    }


def left_out() -> set[str]:
    """Those among them that it leaves as they are."""
    return {module_of(Path(path)) for path in _hook()["exclude"]}


def compiled() -> set[str]:
    """Those that are C where the hook has run."""
    return included() - left_out()


def module_of(path: Path) -> str:
    """The module of a file of the package, whose path begins with ``worker``; the suffix may be any."""
    name = path.name.partition(".")[0]
    return ".".join(path.parent.parts if name == "__init__" else (*path.parent.parts, name))


@cache
def _hook() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    hook: dict[str, Any] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["mypyc"]
    return hook
