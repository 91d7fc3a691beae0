"""Whatever fails in a command, it quotes no claim: each way by which Python or a library speaks of it.

Of a worker, which has logs, the same is in ``tests/stream/test_stream_privacy.py``.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from tests.privacy.faulty import FAULT
from tests.replay.replaykit import decided
from tests.stream.letterkit import SENT_MS, Record, set_aside, write
from tests.stream.markers import CLAIM, TEXT, quoted, sent, story
from tests.stream.streamkit import Stream
from worker.devkit import process
from worker.stream.deciding import partition_of
from worker.stream.outgoing import Outgoing

LAUNCHER = Path(__file__).with_name("faulty.py")
ROOT = Path(__file__).parents[2]
WITHIN_S = 60.0
OVER_RECORDS = (
    ["dlq", "list"],
    ["dlq", "show", "0", "0", "--with-phi"],
    ["dlq", "redrive"],
    ["history", "show", story(1)[0]["data"]["member_id"]],
)
NO_DUMP = "core (0, 0) 0\n"
BESIDE = (
    "asyncio: Task exception was never retrieved\n",
    "asyncio: Future exception was never retrieved\n",
    "asyncio: Exception in callback fail\n",
    "a thread raised\n",
    "a finalizer or callback raised\n",
    "python warns: UserWarning at ",
    "library: cannot do it\n",
    "library: KeyError\n",
    "library: failed with\n",
)
ABORTING = """
import os, sys
from worker.cli import main
sys.argv[1:] = ["--version"]
try:
    main()
finally:
    os.abort()
"""
LOGGING = f"""
import structlog
from worker.stream.unlogged import log_to_standard_error
log_to_standard_error()
try:
    raise KeyError("{TEXT}")
except KeyError:
    structlog.get_logger().exception("renewed")
"""


class Files(NamedTuple):
    events: Path
    results: Path

    def command(self, name: str, out: Path) -> list[str]:
        """A command that decides the events, and tells nothing of them if all goes well."""
        return {
            "adjudicate": ["adjudicate", str(self.events), "--out", str(out)],
            "replay": [
                "replay", "--events", str(self.events), "--results", str(self.results), "--out", str(out),
                "--processes", "1",
            ],
        }[name]  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Events full of markers, and what they were decided to."""
    directory = tmp_path_factory.mktemp("evidence")
    events = [sent(event).value or b"" for member in range(1, 4) for event in story(member)]
    found = Files(directory / "events.jsonl", directory / "results.jsonl")
    found.events.write_bytes(b"\n".join([*events, b""]))
    found.results.write_bytes(b"\n".join([*decided(events), b""]))
    return found


def run(
    arguments: Sequence[str], fault: str, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, str(LAUNCHER), *arguments],
        env={**os.environ, FAULT: fault, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )


def test_the_faults_quote_what_the_events_hold(files: Files) -> None:
    claim = orjson.loads(files.events.read_bytes().splitlines()[0])["data"]
    assert quoted(f"{claim['claim_id']} {claim['member_id']} {claim['diagnoses']}") >= {CLAIM, TEXT}


@pytest.mark.parametrize("options", [[], ["-X", "dev"], ["-X", "faulthandler"]], ids=" ".join)
def test_a_command_that_fails_says_where_and_quotes_nothing(
    files: Files, tmp_path: Path, options: list[str]
) -> None:
    done = run(files.command("adjudicate", tmp_path / "out"), "fail", options)
    assert quoted(done.stdout) == set()
    assert done.returncode == 1
    assert "in fail\n" in done.stdout
    assert "KeyError\n" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("mms-worker: a fault of the program")


@pytest.mark.parametrize(
    ("command", "options"),
    [("adjudicate", []), ("adjudicate", ["-X", "dev"]), ("replay", [])],
    ids=["adjudicate", "adjudicate -X dev", "each process of a replay"],
)
def test_what_fails_beside_the_work_is_told_by_type_and_place(
    files: Files, tmp_path: Path, command: str, options: list[str]
) -> None:
    done = run(files.command(command, tmp_path / "out"), "beside", options)
    assert done.returncode == 0, done.stdout
    assert quoted(done.stdout) == set()
    for said in BESIDE:
        assert f"mms-worker: {said}" in done.stdout
    assert NO_DUMP in done.stdout


async def test_a_command_that_fails_over_a_record_quotes_none_of_it(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = sent(story(1)[0])
    partition = partition_of(record.key, stream.settings.partitions)
    await set_aside(stream, [Record(record.key, record.value, record.headers)])
    held = Outgoing(record.key, f"{TEXT} {CLAIM}".encode(), SENT_MS, ())
    await write(stream, stream.settings.changelog_topic, partition, [held])
    monkeypatch.setenv(FAULT, "records")
    for arguments in OVER_RECORDS:
        command = [part for part in stream.command(*arguments) if part not in {"-m", "worker"}]
        command.insert(-len(arguments), str(LAUNCHER))
        done = await asyncio.to_thread(process.run, command, WITHIN_S)
        assert quoted(done.stdout) == set()
        assert done.returncode == 1, done.stdout
        assert "KeyError\n" in done.stdout


def test_an_exception_in_a_log_line_of_a_command_is_told_without_its_text() -> None:
    done = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "renewed" in done.stderr
    assert done.stderr.endswith("KeyError\n")


def test_a_process_that_the_system_ends_by_a_fault_leaves_no_core(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    child = subprocess.Popen(
        [sys.executable, "-c", ABORTING],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)),  # noqa: PLW1509  no threads
    )
    _, status = os.waitpid(child.pid, 0)
    child.returncode = status  # it is waited for
    assert os.WTERMSIG(status) == signal.SIGABRT
    assert not os.WCOREDUMP(status)
    assert list(tmp_path.iterdir()) == []
