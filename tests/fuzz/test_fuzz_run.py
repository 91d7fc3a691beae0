"""Coverage-guided runs: a short one of every target in every test run, a million inputs in the soak."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from rich.console import Console

from tests.fuzz import running
from tests.fuzz.__main__ import WIDTH, fuzzed, table_of
from tests.fuzz.running import run
from tests.fuzz.table import ALL, TARGETS
from tests.fuzz.target import Target

SHORT = 10_000
"""Inputs of all targets together that every test run tries."""
MILLION = 1_000_000


def fuzz(inputs: int, directory: Path, capsys: pytest.CaptureFixture[str]) -> int:
    """Fuzz every target and show the table; how many inputs libFuzzer has counted."""
    runs = fuzzed(ALL, inputs, root=directory)
    with capsys.disabled():
        Console(width=WIDTH).print("", table_of(runs))
    assert [(one.target, one.words) for one in runs if not one.passed] == []
    return sum(one.inputs for one in runs)


def test_a_short_run_tries_every_target_and_finds_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fuzz(SHORT, tmp_path, capsys) >= SHORT


@pytest.mark.soak
def test_a_million_inputs_break_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz(MILLION, tmp_path, capsys) >= MILLION


FAULTS = {
    "raises": "raise KeyError('x')",
    "hangs": "while True: pass",
    "takes memory": "kept = bytearray(1 << 29); kept[:] = b'x' * len(kept); time.sleep(5)",
    "aborts, as C does": "os.abort()",
}
"""What a reader could do on some input."""
BROKEN = """
import os, sys, time
sys.argv[1:] = {arguments!r}
from tests.fuzz import driver
def check(data):
    if data[:1] == bytes([10]):
        {fault}
driver.TARGETS["lines"] = driver.TARGETS["lines"]._replace(check=check, seeds=list)
driver.main()
"""


def test_a_reader_is_not_held_to_the_memory_of_who_started_it() -> None:
    grown = bytearray(1 << 28)
    grown[:: 1 << 12] = bytes(len(grown) >> 12)  # every page of it is there now
    program = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    assert int(running.apart([sys.executable, "-c", program]).stdout) < 1 << 17


@pytest.mark.parametrize("fault", FAULTS)
def test_a_reader_that_breaks_is_found_and_its_input_kept(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(target: Target, place: running.Place, options: list[str]) -> CompletedProcess[str]:
        program = BROKEN.format(arguments=[target.name, str(place.notes), *options], fault=FAULTS[fault])
        return running.apart([sys.executable, "-c", program])

    monkeypatch.setattr(running, "driver", broken)
    found = run(TARGETS["lines"]._replace(seconds=2, memory_mb=300), 2000, root=tmp_path)
    assert not found.passed
    assert found.words
    (finding,) = found.findings
    assert finding.read_bytes()[:1] == b"\n"
