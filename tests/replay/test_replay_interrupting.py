"""A replay that is stopped half-way leaves nobody behind, and gone on with ends as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from worker.commands.replaying import GO_ON
from worker.replay.output.manifest import CSV, MANIFEST, OUTPUTS
from worker.replay.running.working import STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 120.0
LARGEST = ("0", "2")
"""Shards that two processes begin with."""


class Replay:
    """A replay of the stand-in as a process in a session of its own."""

    def __init__(self, tmp_path: Path) -> None:
        self.out = tmp_path / "out"
        self.gate = tmp_path / "gate"
        self.gate.mkdir()
        self._process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        command = [sys.executable, "-m", "tests.replay.standin", str(self.out), str(self.gate), *options]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    def await_half_way(self) -> None:
        wait_for(lambda: all((self.gate / number).exists() for number in LARGEST))

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err

    def open_gate(self) -> None:
        (self.gate / "open").touch()

    def outputs(self) -> dict[str, bytes]:
        assert sorted(path.name for path in self.out.iterdir()) == sorted((*OUTPUTS, MANIFEST))
        return {name: (self.out / name).read_bytes() for name in OUTPUTS}

    def members(self) -> set[int]:
        """Processes of its session that still run."""
        processes = (path for path in Path("/proc").iterdir() if path.name.isdigit())
        return {int(path.name) for path in processes if is_of(path, self.process.pid)}


def is_of(path: Path, session: int) -> bool:
    try:
        fields = (path / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    state, _, _, found, *_ = fields
    return int(found) == session and state != "Z"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[Replay]:
    made = Replay(tmp_path)
    yield made
    for left in made.members():
        os.kill(left, signal.SIGKILL)
    made.process.communicate()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    replay = Replay(tmp_path_factory.mktemp("undisturbed"))
    replay.open_gate()
    replay.start()
    code, out, _ = replay.ended()
    assert code == 1
    assert "manifest  SHA-256 " in out
    return replay.outputs()


STOPPED = {
    "ctrl-c": (os.killpg, signal.SIGINT, 130),
    "sigint to the parent alone": (os.kill, signal.SIGINT, 130),
    "sigterm to the parent alone": (os.kill, signal.SIGTERM, 143),
}


@pytest.mark.parametrize("how", STOPPED)
def test_a_stopped_replay_goes_on_to_the_same_bytes(
    replay: Replay, undisturbed: dict[str, bytes], how: str
) -> None:
    send, number, code = STOPPED[how]
    replay.start()
    replay.await_half_way()
    send(replay.process.pid, number)
    stopped, out, err = replay.ended()
    assert (stopped, out) == (code, "")
    assert err == f"mms-worker: stopped, and what was done is put aside: {GO_ON}\n"
    assert [path.name for path in replay.out.iterdir()] == [STATE]
    assert {path.stat().st_mode & 0o777 for path in (replay.out / STATE).iterdir()} == {0o600}
    assert sorted(path.name for path in (replay.out / STATE).glob("*.checkpoint")) == [
        "00000.checkpoint",
        "00002.checkpoint",
    ]
    replay.open_gate()
    replay.start("--resume")
    assert replay.ended()[0] == 1
    assert replay.outputs() == undisturbed


def test_a_second_signal_ends_it_at_once_and_what_was_put_aside_before_stays_good(
    replay: Replay, undisturbed: dict[str, bytes]
) -> None:
    replay.start()
    replay.await_half_way()
    for stuck in filter(is_worker, replay.members()):
        os.kill(stuck, signal.SIGSTOP)  # it cannot put anything aside any more
    replay.process.send_signal(signal.SIGINT)
    wait_for(lambda: not is_pending(replay.process.pid, signal.SIGINT))
    replay.process.send_signal(signal.SIGINT)
    code, out, err = replay.ended()
    assert (code, out) == (130, "")
    assert "stopped at once" in err
    assert "--resume" in err
    wait_for(lambda: not replay.members())
    replay.open_gate()
    replay.start("--resume")
    assert replay.ended()[0] == 1
    assert replay.outputs() == undisturbed


def is_worker(process: int) -> bool:
    return b"--multiprocessing-fork" in Path(f"/proc/{process}/cmdline").read_bytes()


def is_pending(process: int, number: int) -> bool:
    status = Path(f"/proc/{process}/status").read_text()
    pending = next(line for line in status.splitlines() if line.startswith("ShdPnd:"))
    return bool(int(pending.split()[1], 16) >> number - 1 & 1)


def test_a_killed_replay_leaves_no_process_and_can_be_gone_on_with(
    replay: Replay, undisturbed: dict[str, bytes]
) -> None:
    replay.start()
    replay.await_half_way()
    assert len(replay.members()) >= 3
    replay.process.kill()
    replay.ended()
    wait_for(lambda: not replay.members())
    replay.open_gate()
    replay.start("--resume")
    assert replay.ended()[0] == 1
    assert replay.outputs() == undisturbed


def test_a_folder_of_an_interrupted_replay_is_not_begun_anew_by_accident(replay: Replay) -> None:
    replay.start()
    replay.await_half_way()
    replay.process.send_signal(signal.SIGINT)
    replay.ended()
    replay.start()
    code, _, err = replay.ended()
    assert code == 2
    assert "go on with --resume" in err


def test_two_replays_do_not_work_in_one_folder(replay: Replay, tmp_path: Path) -> None:
    replay.start()
    replay.await_half_way()
    command = [sys.executable, "-m", "tests.replay.standin", str(replay.out), str(replay.gate), "--resume"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert second.returncode == 2
    assert "another process replays into this folder" in second.stderr
    replay.open_gate()
    assert replay.ended()[0] == 1


def test_a_replay_that_is_done_is_not_resumed(replay: Replay) -> None:
    replay.open_gate()
    replay.start()
    assert replay.ended()[0] == 1
    before = (replay.out / CSV).read_bytes()
    replay.start("--resume")
    code, _, err = replay.ended()
    assert code == 2
    assert "the replay is done, there is nothing to resume" in err
    assert (replay.out / CSV).read_bytes() == before
