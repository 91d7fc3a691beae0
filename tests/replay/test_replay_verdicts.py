"""Exit codes: that of the verdict whoever reads it, and never that of a verdict where there is none."""

from __future__ import annotations

import os
import pty
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.replay.replaykit import Case, made_up, write
from tests.replay.test_replay_what_if import moved_policies
from worker.commands.console import NOTICE
from worker.replay.output.manifest import CSV, MANIFEST, OUTPUTS
from worker.replay.running.working import STATE

PATIENCE_S = 120.0
ROOT = str(Path.cwd())
PYTHON = f"exec {sys.executable} -m worker"
REPLAY = "replay --events events.jsonl --results results.jsonl"


def shell(directory: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run in bash, whose exit code is that of the pipe's first command."""
    return subprocess.run(
        ["/bin/bash", "-c", command + "; exit ${PIPESTATUS[0]}"],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events and results of which one is missing; ``done`` holds a replay, of which a table was changed."""
    made = tmp_path_factory.mktemp("verdicts")
    case = made_up(200)
    write(made, Case(case.events, case.results[1:]))
    write(made / "same", case)
    moved_policies(made / "new")
    assert shell(made, f"({PYTHON} {REPLAY} --out done)").returncode == 1
    (made / "done" / CSV).write_bytes(b"")
    return made


ENDS = {
    "nobody reads": ("| true", 1),
    "nobody reads, not even faults": ("2>&1 | true", 1),
    "no room": (">/dev/full", 2),
    "closed": (">&-", 2),
}
"""By what becomes of standard output the exit code of a command that finds something."""


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("command", [f"{REPLAY} --out", "replay verify done"])
def test_the_exit_code_is_the_verdicts_whatever_becomes_of_standard_output(
    directory: Path, tmp_path: Path, command: str, end: str
) -> None:
    into, code = ENDS[end]
    out = f" {tmp_path / 'out'}" if command.endswith("--out") else ""
    done = shell(directory, f"({PYTHON} {command}{out}) {into}")
    assert done.returncode == code
    assert done.stderr.count("\n") == (1 if code == 2 else 0)


def test_a_fault_is_no_verdict_where_nobody_reads_it_either(directory: Path) -> None:
    assert shell(directory, f"({PYTHON} {REPLAY} --out done) 2>&1 | true").returncode == 2


def test_one_differing_result_is_one_result(directory: Path, tmp_path: Path) -> None:
    said = shell(directory, f"({PYTHON} {REPLAY} --out {tmp_path / 'out'})").stdout
    assert said.startswith("differs: 1 result\n")


def test_a_what_if_tells_claims_decided_otherwise_from_those_with_other_reasons(
    directory: Path, tmp_path: Path
) -> None:
    said = shell(directory, f"({PYTHON} {REPLAY} --policies new --out {tmp_path / 'out'})").stdout
    assert "claims decided otherwise" in said
    assert "claims with other reasons only" in said


def test_what_holds_phi_is_announced_and_for_its_owner_alone(directory: Path, tmp_path: Path) -> None:
    modes = {}
    for option in ("", "--with-phi"):
        out = tmp_path / f"out{option}"
        done = shell(directory, f"umask 022; ({PYTHON} {REPLAY} --out {out} {option})")
        assert (NOTICE in done.stderr) is bool(option)
        files = {stat.S_IMODE((out / name).stat().st_mode) for name in (*OUTPUTS, MANIFEST)}
        modes[option] = (stat.S_IMODE(out.stat().st_mode), files)
    assert modes == {"": (0o755, {0o644}), "--with-phi": (0o700, {0o600})}


def test_a_directory_of_former_policies_has_to_be_there_even_if_it_is_not_needed(
    directory: Path, tmp_path: Path
) -> None:
    done = shell(directory, f"({PYTHON} {REPLAY} --basis nope --out {tmp_path / 'out'})")
    assert done.returncode == 2
    assert "nope: there is no such directory" in done.stderr


BROKERS = {"nonsense": "nonsense", "no port": "kafka", "a space": "kafka:9092, other:9092"}


@pytest.mark.parametrize("name", BROKERS)
def test_brokers_that_are_none_are_told_by_what_is_expected(tmp_path: Path, name: str) -> None:
    done = shell(tmp_path, f"({PYTHON} replay --out out --bootstrap '{BROKERS[name]}')")
    assert done.returncode == 2
    told = (
        "--bootstrap (MMS_BOOTSTRAP_SERVERS): give host:port, and commas between several; no scheme, no user"
    )
    assert done.stderr == f"mms-worker: {told}\n"


FAULTY = """
import sys
from worker.replay.{package} import {module}

def fails(*_, **__):
    raise KeyError("MBR-77")

{module}.{name} = fails
if __name__ == "__main__":
    from worker.cli import main

    main()
"""
"""The command with a bug: text of an exception may be a claim's."""


@pytest.mark.parametrize(("module", "name"), [("planning.planned", "planned"), ("output.tables", "pa")])
def test_a_fault_of_the_program_is_told_by_type_and_place_and_is_no_verdict(
    directory: Path, tmp_path: Path, module: str, name: str
) -> None:
    package, _, inner = module.partition(".")
    (tmp_path / "faulty.py").write_text(FAULTY.format(package=package, module=inner, name=name))
    done = shell(directory, f"({sys.executable} {tmp_path / 'faulty.py'} {REPLAY} --out {tmp_path / 'out'})")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "fault of the program" in done.stderr
    assert "Error at " in done.stderr
    assert "MBR-77" not in done.stderr


def test_ctrl_c_before_a_command_has_begun_is_told_in_a_line(tmp_path: Path) -> None:
    stop = "lambda: signal.raise_signal(signal.SIGINT)"
    script = f"import signal; from worker import cli; cli.app = {stop}; cli.main()"
    done = shell(tmp_path, f'({sys.executable} -c "{script}")')
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "mms-worker: stopped\n")


STOPPED = {
    f"{REPLAY} --policies pipes --out out": ("pipes/ncci.toml", "stopped before anything was decided"),
    "policy impact --events events.jsonl --policies pipes": (
        "pipes/ncci.toml",
        "stopped before anything was decided",
    ),
    "replay verify done": (f"done/{CSV}", "stopped before everything was checked"),
}
"""By command a file that it waits for, and what it says when it is stopped there."""


@pytest.mark.parametrize("command", STOPPED)
def test_ctrl_c_while_a_command_reads_is_told_in_a_line(
    directory: Path, tmp_path: Path, command: str
) -> None:
    name, told = STOPPED[command]
    assert shell(directory, f"cp -r . {tmp_path}/here; cp -r new {tmp_path}/here/pipes").returncode == 0
    file = tmp_path / "here" / name
    file.unlink()
    os.mkfifo(file)
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", *command.split()],
        cwd=tmp_path / "here",
        env={"PYTHONPATH": ROOT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with file.open("wb"):  # somebody reads it now
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (130, "", f"mms-worker: {told}\n")
    assert not (tmp_path / "here" / "out" / STATE).exists()


def test_a_terminal_says_that_the_evidence_is_read(directory: Path, tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", *REPLAY.split(), "--out", str(tmp_path / "out")],
        cwd=directory,
        env={"PYTHONPATH": ROOT, "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    )
    os.close(terminal)
    seen = b""
    while b"reading events and results" not in seen:
        seen += os.read(screen, 4096)
    while process.poll() is None:
        try:
            os.read(screen, 4096)
        except OSError:  # its end
            break
    os.close(screen)
    assert process.wait(PATIENCE_S) == 1
