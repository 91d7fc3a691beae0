"""``python -m tests.chaos`` says what it will do, refuses what it cannot, and leaves nothing running."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from subprocess import TimeoutExpired

import pytest
from aiokafka.errors import KafkaTimeoutError

from tests.chaos.__main__ import main
from tests.chaos.faults import Kind, plan
from tests.conftest import NewBroker
from tests.stream.streamkit import PATIENCE_S, Stuck, until
from worker.devkit.jars import BrokerError
from worker.stream.errors import Refused

COMMAND = [sys.executable, "-m", "tests.chaos"]


def test_the_plan_is_printed_in_the_order_of_its_moments_and_nothing_is_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--plan", "--seed", "3", "--minutes", "1"]) == 0
    told = capsys.readouterr().out
    moments = sorted(fault.at for track in plan(3, 1) for fault in track)
    assert [line.split()[1] for line in told.splitlines() if " s " in line] == [f"{at:.2f}" for at in moments]
    assert not [kind for kind in Kind if kind not in told]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--minutes", "0"],
        ["--minutes", "-1"],
        ["--minutes", "nan"],
        ["--minutes", "61"],
        ["--minutes", "long"],
        ["--kills", "-1"],
        ["--kills", "1.5"],
        ["--seed", "x"],
        ["--sed", "1"],
        ["again"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--plan", *arguments])
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    "failure",
    [
        BrokerError("node 1 did not serve"),
        Stuck("waited 120 s in vain for workers"),
        AssertionError("waited in vain"),
        RuntimeError("mms-worker adjudicate exited with 2"),
        TimeoutExpired(["mms-worker"], 600),
        Refused("a history cannot be restored"),
        KafkaTimeoutError("no answer"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_run_that_fails_before_its_end_says_why_and_where_its_logs_are(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failed_with(failure, monkeypatch, tmp_path) == 1
    (directory,) = tmp_path.iterdir()
    assert capsys.readouterr().err.splitlines() == [
        f"chaos: the run did not come to its end: {failure}",
        f"chaos: logs and data are kept in {directory}",
    ]


def test_a_bug_of_the_harness_is_shown_as_one_and_the_logs_are_kept_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyError, match="a bug"):
        failed_with(KeyError("a bug"), monkeypatch, tmp_path)
    (directory,) = tmp_path.iterdir()
    assert capsys.readouterr().err == f"chaos: logs and data are kept in {directory}\n"


def failed_with(failure: Exception, monkeypatch: pytest.MonkeyPatch, directory: Path) -> int:
    """The exit code of a run that fails like this."""

    async def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr("tests.chaos.__main__.run", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    before = signal.getsignal(signal.SIGTERM)
    try:
        return main([])
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_machine_without_java_exits_2_and_says_what_to_install(tmp_path: Path) -> None:
    environment = {**os.environ, "JAVA_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    missing = f"chaos: no java in JAVA_HOME ({tmp_path}): install a Java 17 runtime or newer"
    assert done.stderr.splitlines() == [missing]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("how", "code"),
    [(signal.SIGINT, 130), *(pytest.param(*one, marks=pytest.mark.soak) for one in ((15, 130), (9, -9)))],
)
async def test_however_it_is_ended_every_process_that_it_started_ends(
    new_broker: NewBroker, tmp_path: Path, how: int, code: int
) -> None:
    new_broker()  # skips where Kafka cannot be run
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    harness = await asyncio.create_subprocess_exec(*COMMAND, env=environment)
    try:
        await until(lambda: list(tmp_path.glob("mms-chaos-*/worker-3.log")), "workers to start")
        assert len(started_in(tmp_path)) > 6  # harness, brokers, workers
        os.kill(harness.pid, how)
        assert await asyncio.wait_for(harness.wait(), PATIENCE_S) == code
        await until(lambda: not started_in(tmp_path), "all processes to end")
    finally:
        if harness.returncode is None:
            harness.kill()


def started_in(directory: Path) -> list[int]:
    """Processes that were started with this directory for temporary files, but for those that have ended."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:  # it has ended, or is another user's
            continue
        if f"TMPDIR={directory}\0".encode() in environment:
            found.append(int(process.name))
    return found
