"""Deciding the input of a run once more, by the project's own command in a process of its own."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.expected import is_misplaced
from tests.chaos.verdict import Records
from tests.stream.streamkit import Stream
from worker.devkit.process import run

REPLAY_S = 600.0
REJECTED_SOME = 1


def replay(stream: Stream, source: Records, directory: Path) -> list[bytes]:
    """The results of the input as ``mms-worker adjudicate`` gives them, partition after partition.

    A file has no keys, so records whose key is at fault are left out. Raises RuntimeError with what the
    command said if it fails.
    """
    events, results = directory / "input.jsonl", directory / "results.jsonl"
    with events.open("wb") as file:
        for _, records in sorted(source.items()):
            for record in records:
                if record.value is not None and not is_misplaced(record, stream.settings):
                    file.write(record.value + b"\n")
    done = run(stream.command("adjudicate", str(events), "--out", str(results)), REPLAY_S)
    if done.returncode not in {0, REJECTED_SOME}:
        raise RuntimeError(
            f"mms-worker adjudicate exited with {done.returncode}: {done.stdout.strip()[-500:]}"
        )
    return results.read_bytes().splitlines()
