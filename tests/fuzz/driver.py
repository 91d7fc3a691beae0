"""``python -m tests.fuzz.driver TARGET NOTES [libFuzzer's options]``: one target, until it is done or breaks.

It is a process of its own, since a crash, a hang or a blow-up ends it. libFuzzer tells its counts on standard
error; what it does not tell in less than seconds, how long the slowest input took, is written to NOTES.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["worker", "tomllib"]):
    from tests.fuzz.table import TARGETS
    from tests.fuzz.target import Target


class Timed:
    """A target's check, which notes the longest time that an input took. The process ends without a word."""

    def __init__(self, target: Target, notes: Path) -> None:
        self._target = target
        self._notes = notes
        self._slowest_s = 0.0

    def __call__(self, data: bytes) -> None:
        began = time.perf_counter()
        self._target.check(data)
        taken = time.perf_counter() - began
        if taken > self._slowest_s:
            self._slowest_s = taken
            self._notes.write_text(json.dumps({"slowest_s": taken}))


def main() -> None:
    name, notes, *options = sys.argv[1:]
    target = TARGETS[name]
    for seed in target.seeds():  # before anything is measured: what is loaded once is not the input's
        target.check(seed)
    check = Timed(target, Path(notes))

    def change(data: bytes, longest: int, seed: int) -> bytes:
        random = Random(seed)  # noqa: S311  what libFuzzer draws decides, so that a run can be repeated
        changed = target.change(data, random) if target.change and random.random() < 0.5 else data
        if changed != data and len(changed) <= longest:
            return changed
        return bytes(atheris.Mutate(data, longest))

    mutator = {} if target.change is None else {"custom_mutator": change}
    myself = f"{sys.executable} -m tests.fuzz.driver {name} {notes}"  # which a merge starts by the shell
    atheris.Setup([myself, *options], check, **mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
