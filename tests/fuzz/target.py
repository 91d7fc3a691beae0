"""What is fuzzed, and the limits within which each input must stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeAlias

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
"""Inputs that reach code which no smaller one of them reaches, a folder a target."""
REGRESSIONS = HERE / "regressions"
"""Inputs that once broke something, a folder a target; their names say what."""

Change: TypeAlias = Callable[[bytes, Random], bytes]
"""Makes another input of one, so that the form which it needs to get anywhere stays whole."""


class Target(NamedTuple):
    """A reader of foreign bytes. Each input has a share of the inputs, and limits that fail the run."""

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    """Inputs to start from, made of the contract's examples and of the publishers' sample files."""
    share: int
    """Parts of a run's inputs; a slow target has few."""
    longest: int
    """Bytes of an input at the most."""
    change: Change | None = None
    words: tuple[str, ...] = ()
    """What the fuzzer puts into inputs beside what it finds by itself."""
    seconds: int = 10
    """An input that takes longer has hung. Generous, since the machine may do other things beside."""
    memory_mb: int = 512
    """Resident memory of the whole process at the most, the reference data included."""


def kept(target: Target) -> list[Path]:
    """The inputs of a target that are kept in the repository, corpus and regressions."""
    return sorted(path for folder in (CORPUS, REGRESSIONS) for path in (folder / target.name).glob("*"))
