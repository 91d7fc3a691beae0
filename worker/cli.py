"""The command line: every command lives in ``worker.commands`` and loads when it is asked for."""

from __future__ import annotations

import signal
import sys

from cyclopts import App

from worker import __version__
from worker.commands.faults import abandon_standard_output, tell_if_heard
from worker.stream.core_dumps import forbid_core_dumps
from worker.stream.unlogged import withhold_texts

app = App(name="mms-worker", version=__version__, help="Adjudicates claims for Mohs micrographic surgery.")
app.command("worker.commands.adjudicate:adjudicate_file", name="adjudicate")
app.command("worker.commands.explain:explain", name="explain")
app.command("worker.commands.run:run", name="run")
app.command("worker.commands.status:status", name="status")
app.command("worker.commands.topics:app", name="topics")
app.command("worker.commands.history:app", name="history")
app.command("worker.commands.dlq:app", name="dlq")
app.command("worker.commands.codes:app", name="codes")
app.command("worker.commands.policy:app", name="policy")
app.command("worker.commands.replay:app", name="replay")
app.command("worker.commands.settings:app", name="settings")
app.command("worker.commands.devkit:app", name="devkit")


def main() -> None:
    """Entry point of ``mms-worker``."""
    forbid_core_dumps()
    withhold_texts()
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has had enough; what is left in the buffer must not raise again at exit.
        abandon_standard_output()
    except KeyboardInterrupt:  # before the command has said what a signal does to it
        abandon_standard_output()
        tell_if_heard("mms-worker: stopped")
        sys.exit(128 + signal.SIGINT)
