"""Counts by valgrind's ``callgrind``: instructions, and how often the interpreter was asked for memory."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.bench.count import core

LIMIT_S = 300
ALLOCATORS = frozenset(
    f"{domain}_{call}" for domain in ("PyObject", "PyMem") for call in ("Malloc", "Calloc", "Realloc")
)
"""The interpreter's functions that give memory. Objects of its free lists ask none of them."""

_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)
_ENTRY = re.compile(r"^fn=(\w+)\n0x[0-9a-f]+ \d+ (\d+)$", re.MULTILINE)
"""A function, and how often its first instruction was executed: ``calls=`` would have start-up in it."""


class CountError(Exception):
    """Nothing could be counted; one line says why."""


class Part(NamedTuple):
    """What was counted between one start and end of counting."""

    instructions: int
    allocations: int


class Counting:
    """A core's counting, under way in a process of its own: start several, then ask each for ``parts``."""

    def __init__(self, name: str, tree: Path, inputs: Path, directory: Path) -> None:
        """Start in ``tree``, the directory to import from. Raises CountError where there is no valgrind."""
        self._name = name
        self._out = directory / f"{name}.out"
        command = [
            "valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={self._out}",
            f"--toggle-collect={core.COUNTED_CALL}", f"--dump-after={core.COUNTED_CALL}",
            "--dump-instr=yes", "--compress-strings=no", "--compress-pos=no",
            sys.executable, "-m", core.__name__, name, str(inputs),
        ]  # fmt: skip
        # Nothing of this process's environment: its size alone moves the stack, and with it some counts.
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
        try:
            self._process = subprocess.Popen(
                command,
                cwd=tree,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        except FileNotFoundError as missing:
            raise CountError("valgrind is not there; Debian's package is called valgrind") from missing

    def parts(self) -> list[Part]:
        """The counts, one of each kind of work in the order of ``core.works``. Raises CountError."""
        try:
            said, _ = self._process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            self.stop()
            raise CountError(f"the {self._name} core was not counted within {LIMIT_S} s") from None
        if self._process.returncode:
            last = said.strip().rpartition("\n")[2]
            raise CountError(f"the {self._name} core could not be counted: {last}")
        return [part_of(dump) for dump in self._dumps()]

    def stop(self) -> None:
        """End the counting, if it is still under way."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def _dumps(self) -> Iterator[str]:
        number = 1
        while (dump := self._out.with_name(f"{self._out.name}.{number}")).exists():
            yield dump.read_text(errors="replace")
            number += 1


def part_of(dump: str) -> Part:
    """The counts of a profile that has every instruction, and names and places in full. Raises CountError."""
    total = _TOTAL.search(dump)
    if total is None:
        raise CountError("callgrind's profile has no total")
    asked = sum(int(count) for name, count in _ENTRY.findall(dump) if name in ALLOCATORS)
    return Part(int(total[1]), asked)
