"""Runs a target in a process of its own, and reads what libFuzzer tells of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.target import CORPUS, HERE, REGRESSIONS, Target

ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "fuzz"
"""Where a run keeps its corpus, its dictionaries and what it has found. None of it is in the repository."""

_STATUS = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/")
_STATISTIC = re.compile(r"^stat::(\w+): +(\d+)$", re.MULTILINE)
_TAIL = 4000
"""Characters of a process's last words that are worth reading: the exception and where it was raised."""


class Run(NamedTuple):
    """What a target has come to; ``inputs`` as libFuzzer has counted them, one by one."""

    target: str
    inputs: int
    edges: int
    features: int
    corpus: int
    slowest_s: float
    peak_mb: int
    findings: tuple[Path, ...]
    """Inputs that broke it."""
    words: str
    """What the process said at its end; empty when it ended as it should."""

    @property
    def passed(self) -> bool:
        """Whether nothing was found and inputs were tried."""
        return not self.words and not self.findings and self.inputs > 0


def run(target: Target, inputs: int, seconds: int | None = None, *, seed: int = 1, root: Path = BUILD) -> Run:
    """Try that many inputs, or for that long; a corpus of an earlier run below ``root`` is gone on with."""
    place = Place(root / target.name)
    place.prepare(target)
    limits = [
        f"-runs={inputs}",
        f"-max_total_time={seconds or 0}",
        f"-timeout={target.seconds}",
        f"-rss_limit_mb={target.memory_mb}",
        f"-max_len={target.longest}",
        f"-seed={seed}",
        *([f"-dict={place.words}"] if target.words else []),
        f"-artifact_prefix={place.findings}/",
        "-print_final_stats=1",
    ]
    folders = [place.corpus, place.seeds, CORPUS / target.name, REGRESSIONS / target.name]
    ended = driver(target, place, [*limits, *(str(folder) for folder in folders if folder.is_dir())])
    return _told(target, place, ended)


def merge(target: Target, *, root: Path = BUILD) -> int:
    """Replace the kept corpus by the fewest inputs that reach all that the runs' do; returns how many."""
    place = Place(root / target.name)
    place.prepare(target)
    merged = place.folder / "merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    kept = CORPUS / target.name
    sources = [str(folder) for folder in (kept, place.corpus) if folder.is_dir()]
    ended = driver(target, place, ["-merge=1", f"-max_len={target.longest}", str(merged), *sources])
    ended.check_returncode()
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(merged, kept)
    return len(list(kept.iterdir()))


class Place:
    """The files of a target's runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.corpus = folder / "corpus"
        self.seeds = folder / "seeds"
        self.findings = folder / "findings"
        self.words = folder / "words.dict"
        self.notes = folder / "notes.json"

    def prepare(self, target: Target) -> None:
        for folder in (self.corpus, self.seeds, self.findings):
            folder.mkdir(parents=True, exist_ok=True)
        for finding in self.findings.iterdir():
            finding.unlink()
        self.notes.unlink(missing_ok=True)
        for seed in target.seeds():
            (self.seeds / sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
        self.words.write_text("".join(f"{_quoted(word)}\n" for word in target.words))


def _quoted(word: str) -> str:
    """As libFuzzer's dictionaries have it: in hex what is not plain ASCII, quotation mark or backslash."""
    plain = (
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02X}" for byte in word.encode()
    )
    return f'"{"".join(plain)}"'


def driver(target: Target, place: Place, options: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.driver", target.name, str(place.notes), *options]
    return apart(command)


def apart(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, by a shell that forks it.

    Linux counts the peak memory of whoever starts a program as the program's own, and libFuzzer holds it to
    that: a large test run would be found to be a fault of a small reader.
    """
    forked = ["/bin/sh", "-c", '"$@"; exit "$?"', "sh", *command]
    return subprocess.run(forked, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)


def _told(target: Target, place: Place, ended: subprocess.CompletedProcess[str]) -> Run:
    notes = json.loads(place.notes.read_text()) if place.notes.exists() else {"slowest_s": 0.0}
    statistics = {name: int(value) for name, value in _STATISTIC.findall(ended.stderr)}
    statuses = _STATUS.findall(ended.stderr)
    edges, features, corpus = map(int, statuses[-1]) if statuses else (0, 0, 0)
    return Run(
        target.name,
        statistics.get("number_of_executed_units", 0),
        edges,
        features,
        corpus,
        notes["slowest_s"],
        statistics.get("peak_rss_mb", 0),
        tuple(sorted(place.findings.iterdir())),
        _last_words(ended) if ended.returncode else "",
    )


def _last_words(ended: subprocess.CompletedProcess[str]) -> str:
    """Python's exception; without one the process's own words, but for its account of what it tried."""
    lines = ended.stdout.splitlines() or [line for line in ended.stderr.splitlines() if line[:1] != "#"]
    return "\n".join(lines)[-_TAIL:] or f"exit code {ended.returncode}"
