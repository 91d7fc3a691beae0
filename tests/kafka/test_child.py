"""A child process that is stopped says whether it ended or had to be killed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.stream.streamkit import until
from worker.devkit.process import Child

if TYPE_CHECKING:
    from pathlib import Path

OBEYS = "print('ready', flush=True); import signal; signal.pause()"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {OBEYS}"
TIDY = f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); {OBEYS}"


@pytest.mark.parametrize(
    ("code", "within", "is_clean"), [(OBEYS, 60, True), (TIDY, 60, True), (DEAF, 0.2, False)]
)
async def test_a_stopped_child_has_ended_by_itself_or_was_killed(
    tmp_path: Path, code: str, within: float, is_clean: bool
) -> None:
    log = tmp_path / "log"
    child = Child([sys.executable, "-c", code], log)
    await until(lambda: "ready" in log.read_text(), "the child to be ready")

    assert child.stop(within) is is_clean
    assert child.exit_code is not None


async def test_a_child_that_had_ended_before_was_not_killed(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", ""], tmp_path / "log")
    await until(lambda: child.exit_code is not None, "the child to end")

    assert child.stop(60) is True
