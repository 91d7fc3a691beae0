"""Child processes of the devkit: stopped on a deadline, and never outliving the process that started them."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Ends when the parent's end of its standard input closes, however the parent dies, and takes the child with
# it. (Linux's PR_SET_PDEATHSIG would not do: it fires when the *thread* that started the child ends.)
_WATCHDOG = 'read -r _; kill -KILL "$1" 2>/dev/null'


class Child:
    """A running child process.

    Its session is its own, so that a Ctrl-C in the terminal reaches the parent only, which then stops it.
    """

    def __init__(self, command: Sequence[str], output: Path) -> None:
        """Start ``command``; what it prints is appended to the file ``output``."""
        with output.open("ab") as sink:
            self._process = subprocess.Popen(  # noqa: S603 - commands come from the devkit's own code
                command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
            )
        self._watchdog = subprocess.Popen(  # noqa: S603 - as above
            ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(self.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """What it exited with, or minus the number of the signal that ended it; None while it runs."""
        return self._process.poll()

    def stop(self, within: float) -> bool:
        """Ask it to end (SIGTERM), make it end (SIGKILL) if it has not ``within`` seconds.

        Returns whether it ended without being killed.
        """
        self._process.terminate()
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._forget()
        return self._process.returncode != -signal.SIGKILL

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        self._process.kill()
        self._forget()

    def _forget(self) -> None:
        self._watchdog.kill()
        self._watchdog.communicate()
        self._process.wait()


def run(command: Sequence[str], within: float) -> subprocess.CompletedProcess[str]:
    """Run ``command`` to its end and return its exit code with all that it printed in ``stdout``.

    Raises subprocess.TimeoutExpired after ``within`` seconds.
    """
    return subprocess.run(  # noqa: S603 - commands come from the devkit's own code
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=within,
    )
