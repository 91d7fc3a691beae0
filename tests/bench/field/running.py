"""A contestant as a process that runs, on its core, until it is not wanted any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.field.contestants import Contestant
from tests.bench.field.cores import on_core
from tests.stream.streamkit import Stream
from worker.devkit.process import Child

STOP_S = 15.0
LAST_LINES = 15


class RunFailed(Exception):  # noqa: N818  reads as what it says
    """A contestant did not do what it should; the message says what, and ends with what it has said."""


class Running:
    """A contestant that was started; what it says goes to ``log``."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name = name
        self._log = log
        self._child = Child(command, log)
        self.pid = self._child.pid
        self.exit_code: int | None = None
        """Once it was stopped."""

    def check(self) -> None:
        """Raise RunFailed when it has ended by itself."""
        if self._child.exit_code is not None:
            raise self.failed(f"ended with exit code {self._child.exit_code}")

    def stop(self) -> None:
        """End it as an orchestrator would."""
        self._child.stop(STOP_S)
        self.exit_code = self._child.exit_code

    def failed(self, what: str) -> RunFailed:
        """That it failed, with the end of its log."""
        said = "\n".join(self._log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        return RunFailed(f"{self.name} {what}; its log, {self._log}, ends:\n{said}")


@contextmanager
def started(contestant: Contestant, stream: Stream, logs: Path, core: int | None) -> Iterator[Running]:
    """A contestant, stopped in the end. Raises RunFailed when it cannot be started."""
    with TemporaryDirectory(prefix="state-") as state:
        try:
            command = contestant.command(stream, Path(state))
        except Exception as error:  # whatever is missing is missing for this one alone
            raise RunFailed(f"{contestant.name} cannot be started: {error!r}") from error
        log = logs / f"{stream.settings.app_id}.log"
        log.unlink(missing_ok=True)
        with on_core(core):
            running = Running(contestant.name, command, log)
        try:
            yield running
        finally:
            running.stop()
