"""A worker and its topics on this machine, on a free loopback port; it ends with the caller."""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import TimeoutExpired

from worker.devkit.embedded import PARTITIONS, EmbeddedBroker
from worker.devkit.kafka import KafkaBroker
from worker.devkit.ports import LOOPBACK, free_ports
from worker.devkit.process import Child, run
from worker.settings import PREFIX, Settings, variable

READY_SECONDS = 30.0
STOP_SECONDS = 10.0
"""Longest wait for the worker's clean end, which is meant to take under 8."""
COMMAND_SECONDS = 60.0
POLL_SECONDS = 0.05


class LocalError(Exception):
    """The worker or its topics failed here; the message is one line that says what and where to look."""


def local_settings(bootstrap: str) -> Settings:
    """Settings of a worker on this machine. The caller's own ``MMS_`` variables are another worker's."""
    (web_port,) = free_ports(1)
    return Settings.model_construct(
        bootstrap_servers=bootstrap, partitions=PARTITIONS, replication=1, web_port=web_port
    )


def command(settings: Settings, *arguments: str) -> list[str]:
    """``mms-worker`` with these arguments and with these settings alone."""
    stale = [part for name in os.environ if name.startswith(PREFIX) for part in ("-u", name)]
    given = [f"{variable(name)}={getattr(settings, name)}" for name in sorted(settings.model_fields_set)]
    return ["env", *stale, *given, sys.executable, "-m", "worker", *arguments]


def create_topics(broker: KafkaBroker | EmbeddedBroker, settings: Settings) -> None:
    """Create the four topics, on a real broker with the project's own command."""
    if isinstance(broker, EmbeddedBroker):
        broker.create_topics(
            (
                settings.input_topic,
                settings.results_topic,
                settings.dead_letter_topic,
                settings.changelog_topic,
            )
        )
        return
    try:
        done = run(command(settings, "topics", "create"), COMMAND_SECONDS)
    except TimeoutExpired:
        raise LocalError(f"creating the topics took more than {COMMAND_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise LocalError(f"the topics could not be created: {last_line(done.stdout.splitlines())}")


class LocalWorker:
    """``mms-worker run`` as a child process; what it logs goes to ``log``."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self.web = f"http://{LOOPBACK}:{settings.web_port}"
        self.log = directory / "worker.log"
        self._child = Child(command(settings, "run"), self.log)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def await_ready(self) -> None:
        """Return when ``/readyz`` says yes. Raises LocalError when the worker ends or takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while self.get("/readyz") is None:
            self.check()
            if time.monotonic() > deadline:
                raise LocalError(
                    f"the worker did not get ready in {READY_SECONDS:.0f} s; its log: {self.log}"
                )
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Raise LocalError when the worker has ended."""
        code = self._child.exit_code
        if code is not None:
            said = last_line(self.log.read_text(errors="replace").splitlines())
            raise LocalError(f"the worker ended with exit code {code}: {said} (its log: {self.log})")

    def get(self, path: str) -> str | None:
        """The body of one of its pages; None while there is none."""
        try:
            with urllib.request.urlopen(self.web + path, timeout=5) as page:  # noqa: S310  always http
                return str(page.read().decode())
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def stop(self) -> None:
        """End it as an orchestrator would."""
        self._child.stop(STOP_SECONDS)


@contextmanager
def local_worker(settings: Settings, directory: Path) -> Iterator[LocalWorker]:
    """A worker that is ready, and is stopped in the end."""
    worker = LocalWorker(settings, directory)
    try:
        worker.await_ready()
        yield worker
    finally:
        worker.stop()


def last_line(lines: Sequence[str]) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
