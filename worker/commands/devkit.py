"""``mms-worker devkit``: a broker on this machine, generated claims, the demo."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Annotated, NoReturn

from cyclopts import App, Parameter, validators

from worker.devkit.broker import start_broker
from worker.devkit.embedded import EmbeddedBroker
from worker.devkit.jars import BrokerError, java, kafka_jars, kafka_version

if TYPE_CHECKING:
    from collections.abc import Iterator

app = App(name="devkit", help="For development and for a first look: a local broker, claims, the demo.")
app.command("worker.devkit.generator:generate", name="generate")
app.command("worker.devkit.demo:demo", name="demo")

PORT = "Loopback port that it listens on; the embedded fallback chooses its own."
DIRECTORY = "Where its data and log stay; by default they are temporary and go when it ends."
EMBEDDED = "Run the embedded fallback even where a real broker could run."

UNFIT = 2
"""Exit code: the machine or the settings do not allow what was asked for."""


@app.command
def kafka(
    *,
    port: Annotated[int, Parameter(help=PORT, validator=validators.Number(gte=1, lte=65535))] = 9092,
    directory: Annotated[Path | None, Parameter(name="--dir", help=DIRECTORY)] = None,
    embedded: Annotated[bool, Parameter(help=EMBEDDED, negative="")] = False,
) -> None:
    """Run a Kafka broker on this machine until Ctrl-C.

    It is a real Apache Kafka where there are Java and Maven, else the embedded fallback.
    """
    home = directory or Path(mkdtemp(prefix="mms-kafka-"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _one_line_errors():
            _serve(home.resolve(), port, embedded=embedded)
    except KeyboardInterrupt:
        print("mms-worker: the broker has ended", file=sys.stderr)
    if directory is None:
        shutil.rmtree(home)  # not after an error, whose message names the log


@app.command
def jars() -> None:
    """Fetch the jars of Apache Kafka, once, and say where they are."""
    with _one_line_errors():
        java()
        lib = kafka_jars()
        print(f"Apache Kafka {kafka_version(lib)} is in {lib}")


def _serve(home: Path, port: int, *, embedded: bool) -> NoReturn:
    because = "it was asked for"
    with EmbeddedBroker(because) if embedded else start_broker(home, port=port) as broker:
        print(f"{broker.kind} is ready at {broker.bootstrap}; Ctrl-C ends it.", flush=True)
        if isinstance(broker, EmbeddedBroker):
            print(f"NOT A REAL BROKER ({broker.because}): good for a look, no proof of delivery.", flush=True)
        while True:
            broker.check()
            time.sleep(1)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except BrokerError as error:
        print(f"mms-worker: {error}", file=sys.stderr)
        sys.exit(UNFIT)
