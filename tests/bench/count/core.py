"""The process whose instructions are counted: does each kind of work a while to warm up, then to be counted.

Run by ``callgrind``, which counts only what happens inside ``COUNTED_CALL``, and writes a part for each time.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

from worker.adjudication import Reference, Rejected, adjudicate, adjudicate_alone, decide, decode, encode
from worker.reference import load_reference

COUNTED_CALL = "PyRun_SimpleStringFlags"
"""The interpreter's function that ``PyRun_SimpleString`` calls, and that nothing else does here."""

WARM_UP = 100
"""Lines of a kind's file that come first and are not counted: caches fill, the interpreter specialises."""

Work: TypeAlias = Callable[[list[bytes]], None]


def read(values: list[bytes]) -> None:
    """Decode each."""
    for value in values:
        decode(value)


def alone(reference: Reference, values: list[bytes]) -> None:
    """Decide each claim by itself, from its bytes to those of its result."""
    for value in values:
        result = adjudicate_alone(decode(value), reference)
        if isinstance(result, Rejected):
            raise TypeError(f"nothing bad is counted: {result.reason}")
        encode(result)


def together(reference: Reference, histories: dict[str, bytes], values: list[bytes]) -> None:
    """Decide each event with its member's history, which it changes."""
    for value in values:
        event = decode(value)
        member = event.data.member_id
        answer = adjudicate(event, histories.get(member), reference)
        if isinstance(answer, Rejected):
            raise TypeError(f"nothing bad is counted: {answer.reason}")
        for result in answer.results:
            encode(result)
        if answer.history is not None:
            histories[member] = answer.history


def works(reference: Reference) -> dict[str, Work]:
    """What is counted, by kind, in the order of the counting."""
    return {
        "decode": read,
        "four-lines": partial(alone, reference),
        "out-of-scope": partial(alone, reference),
        "history": partial(together, reference, {}),
    }


def main(core: str, directory: Path) -> None:
    """Do every kind of work over its ``<kind>.jsonl``. Raises SystemExit when this is the other core."""
    if decide.__file__.endswith(".py") != (core == "interpreted"):
        raise SystemExit(f"{decide.__file__} is not the {core} core")
    # A collection comes when enough was allocated since start-up began, so it would fall now here, now there.
    gc.collect()
    gc.disable()
    for kind, work in works(load_reference()).items():
        values = (directory / f"{kind}.jsonl").read_bytes().splitlines()
        work(values[:WARM_UP])
        counted(partial(work, values[WARM_UP:]))


def counted(work: Callable[[], None]) -> None:
    """Do it where it is counted."""
    globals()["counted_work"] = work  # this is __main__, in which the text runs
    if ctypes.pythonapi.PyRun_SimpleString(b"counted_work()"):
        raise SystemExit("the counted work has failed")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
