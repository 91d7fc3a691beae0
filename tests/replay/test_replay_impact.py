"""``mms-worker policy impact`` as a process: what it reads is listed, and it goes on where it was stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.replay.replaykit import made_up, write
from tests.replay.test_replay_interrupting import wait_for
from tests.replay.test_replay_what_if import moved_policies
from worker.replay.output.manifest import MANIFEST, OUTPUTS
from worker.replay.running.working import STATE

PATIENCE_S = 120.0


def started(directory: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "worker", "policy", "impact", "--policies", "new", *options]
    return subprocess.Popen(
        [*command, "--events", "events.jsonl"],
        cwd=directory,
        env={"PYTHONPATH": str(Path.cwd()), "TMPDIR": str(directory / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Events, and policies with one threshold moved."""
    write(tmp_path, made_up(2000))
    moved_policies(tmp_path / "new")
    (tmp_path / "tmp").mkdir()
    return tmp_path


def stopped(directory: Path, *options: str) -> tuple[int, str, str]:
    """An impact that is stopped once it has begun with its first shard."""
    process = started(directory, "--processes", "1", *options)
    wait_for(lambda: any(directory.glob(f"*/{STATE}/*rows*")) or any(directory.glob(f"tmp/*/{STATE}/*rows*")))
    process.send_signal(signal.SIGINT)
    return ended(process)


def test_an_impact_that_was_stopped_goes_on_to_the_bytes_of_one_that_was_not(directory: Path) -> None:
    assert ended(started(directory, "--out", "whole"))[0] == 0
    code, out, err = stopped(directory, "--out", "parts")
    assert (code, out) == (130, "")
    assert err.count("\n") == 1
    assert "--resume" in err
    code, _, err = ended(started(directory, "--out", "parts"))
    assert code == 2
    assert "go on with --resume" in err
    code, said, _ = ended(started(directory, "--out", "parts", "--resume"))
    assert code == 0
    assert "claims decided otherwise" in said
    for name in OUTPUTS:
        assert (directory / "parts" / name).read_bytes() == (directory / "whole" / name).read_bytes()


def test_an_impact_without_a_folder_leaves_nothing_and_promises_nothing(directory: Path) -> None:
    code, out, err = stopped(directory)
    assert (code, out) == (130, "")
    assert err == "mms-worker: stopped, and without --out nothing is put aside\n"
    assert list((directory / "tmp").iterdir()) == []


def test_without_a_folder_there_is_nothing_to_resume(directory: Path) -> None:
    code, _, err = ended(started(directory, "--resume"))
    assert code == 2
    assert "--resume needs --out" in err


def test_the_manifest_lists_the_policies_that_were_compared_and_verify_checks_them(directory: Path) -> None:
    assert ended(started(directory, "--out", "out"))[0] == 0
    inputs = orjson.loads((directory / "out" / MANIFEST).read_bytes())["inputs"]
    listed = {one["name"] for one in inputs if one["role"] == "policies"}
    assert listed == {f"new/{file.name}" for file in (directory / "new").iterdir()}
    changed = directory / "new" / "ncci.toml"
    changed.write_bytes(changed.read_bytes() + b"\n")
    verify = [sys.executable, "-m", "worker", "replay", "verify", "out"]
    done = subprocess.run(
        verify,
        cwd=directory,
        env={"PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "not verified: 1 of " in done.stdout
    (row,) = [line.split() for line in done.stdout.splitlines() if "new/ncci.toml" in line]
    assert row[2] == "differs"
