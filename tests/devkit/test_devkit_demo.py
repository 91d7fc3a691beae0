"""The demo from end to end, as a user runs it: it shows everything, ends by itself and leaves nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WITHIN = 110
"""Seconds after which a demo that hangs is killed; some 15 are usual."""


def start(tmp_path: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "worker", "devkit", "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "120", **environment},
    )


def play(tmp_path: Path, *options: str, **environment: str) -> tuple[int, str, str]:
    process = start(tmp_path, *options, **environment)
    try:
        told, errors = process.communicate(timeout=WITHIN)
    finally:
        process.kill()
    return process.returncode, told, errors


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def assert_shows_everything(told: str, claims: int) -> None:
    assert f"sending {claims} claims" in told
    answers = re.findall(r"(\d+) of (\d+) answers", told)
    assert answers[-1][0] == answers[-1][1]
    assert "byte for byte" in told
    for part in (
        "Outcomes",
        "Denied lines",
        "Decided again, since",
        "Dead letters",
        "One claim explained",
        "A decision that another claim changed",
        "history.readjudicated claim=CLM-",
        "Metrics",
        "Done in",
    ):
        assert part in told
    for reason in (
        "undecodable",
        "contract",
        "unknown_type",
        "key_mismatch",
        "unknown_claim",
        "id_conflict",
    ):
        assert reason in told
    assert re.search(r'mms_decisions_total\{outcome="pay"\} [1-9]', told)
    assert re.search(r'mms_readjudications_total\{cause="claim"\} [1-9]', told)


def test_the_demo_on_real_kafka_shows_everything_and_leaves_nothing(tmp_path, new_broker):
    new_broker()  # skips where none can be run; the demo starts its own
    code, told, errors = play(tmp_path, "--claims", "120")
    assert (code, errors) == (0, "")
    assert "Apache Kafka" in told
    assert_shows_everything(told, claims=120)
    assert not alive(int(re.search(r"process (\d+)", told)[1]))
    assert list(tmp_path.glob("mms-demo-*")) == []


def test_without_java_the_demo_says_so_and_runs_on_the_embedded_broker(tmp_path):
    foreign = {
        "MMS_PARTITIONS": "9",
        "MMS_INPUT_TOPIC": "foreign.topic",
    }  # the demo's worker has settings of its own
    code, told, errors = play(tmp_path, "--claims", "60", JAVA_HOME=str(tmp_path), **foreign)
    assert (code, errors) == (0, "")
    assert "not a real broker" in told
    assert "foreign.topic" not in told
    assert_shows_everything(told, claims=60)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_kept_demo_runs_until_it_is_interrupted_and_then_leaves_nothing(tmp_path, ending):
    process, worker = keep(tmp_path)
    try:
        assert alive(worker)
        process.send_signal(ending)
        assert process.wait(WITHIN) == 0
    finally:
        process.kill()
    assert not alive(worker)
    assert list(tmp_path.glob("mms-demo-*")) == []


def test_a_worker_that_dies_ends_the_demo_with_one_clear_line(tmp_path):
    process, worker = keep(tmp_path)
    try:
        os.kill(worker, signal.SIGKILL)
        _, errors = process.communicate(timeout=WITHIN)
    finally:
        process.kill()
    assert process.returncode == 1
    assert errors.startswith("mms-worker: the demo failed: the worker ended with exit code -9")
    assert errors.count("\n") == 1


def keep(tmp_path: Path) -> tuple[subprocess.Popen[str], int]:
    """A demo that has shown everything and stays up on the embedded broker, and its worker's process id."""
    process = start(tmp_path, "--claims", "20", "--keep", JAVA_HOME=str(tmp_path))
    told = ""
    for line in process.stdout:
        told += line
        if "keep running" in line:
            return process, int(re.search(r"process (\d+)", told)[1])
    raise AssertionError(f"the demo ended: {told}\n{process.stderr.read()}")


def test_a_broker_that_does_not_start_is_one_clear_line_and_exit_1(tmp_path):
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text('#!/bin/sh\n[ "$1" = -version ] && echo \'openjdk version "17.0.1"\' && exit 0\nexit 1\n')
    java.chmod(0o755)
    code, _, errors = play(tmp_path, JAVA_HOME=str(tmp_path))
    assert code == 1
    assert errors.startswith("mms-worker: the demo failed: ")
    assert errors.count("\n") == 1
