"""``mms-worker devkit``: a broker on this machine, generated claims, the demo."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Annotated, NoReturn

from cyclopts import App, Parameter, validators

from worker.commands.brokers import Bootstrap, answer_or_exit, exit_with, settings_or_exit
from worker.commands.ending import SIGNALS
from worker.devkit.broker import start_broker
from worker.devkit.embedded import EmbeddedBroker
from worker.devkit.jars import BrokerError, java, kafka_jars, kafka_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.devkit.traffic import Outgoing
    from worker.settings import Settings

app = App(name="devkit", help="For development and for a first look: a local broker, claims, the demo.")
app.command("worker.devkit.generator:generate", name="generate")
app.command("worker.devkit.demo:demo", name="demo")

PORT = "Loopback port that it listens on; the embedded fallback chooses its own."
DIRECTORY = "Where its data and log stay; by default they are temporary and go when it ends."
EMBEDDED = "Run the embedded fallback even where a real broker could run."
RATE = "Records a second."
COUNT = "How many records, and then an end; without it until SIGTERM or Ctrl-C."
SEED = "The same seed, the same claims; by default one that no load before had."
MEMBERS = "How many members have many claims at most: the fewer, the more is decided again."

UNDELIVERED = 1
"""Exit code: some records of a load may not have arrived."""
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


@app.command
def load(
    *,
    bootstrap: Bootstrap = None,
    rate: Annotated[float, Parameter(help=RATE, validator=validators.Number(gt=0, lte=100_000))] = 50,
    count: Annotated[int | None, Parameter(help=COUNT, validator=validators.Number(gte=1))] = None,
    seed: Annotated[int | None, Parameter(help=SEED)] = None,
    members: Annotated[int | None, Parameter(help=MEMBERS, validator=validators.Number(gte=1))] = None,
) -> None:
    """Send made-up claims to the input topic, at a steady rate and without end.

    Claims, whole histories of members, and a few records that become dead letters. Each has the time of its
    sending, dates of the last weeks, and a trace of its own. Exit code 0 when it was told to stop or all are
    sent, 1 when brokers did not take the last ones before it had to end, 2 when they cannot be reached or do
    not take records.
    """
    from itertools import islice

    from worker.devkit.load import records
    from worker.stream.rights.table import Task

    settings = settings_or_exit(bootstrap)
    number = int(datetime.now(UTC).timestamp()) if seed is None else seed
    wanted = islice(records(number, members), count)
    sent = answer_or_exit(_send(settings, wanted, rate), settings, Task.SEND)
    if sent is None:
        exit_with("the brokers did not take the last records in time", UNDELIVERED)
    print(f"sent {sent} records of seed {number}", flush=True)


async def _send(settings: Settings, wanted: Iterator[Outgoing], rate: float) -> int | None:
    """Send until a signal or the end; how many records were delivered, None when the last ones were not."""
    import asyncio

    from worker.devkit.load import Undelivered, send_load
    from worker.stream.connection import connection

    stop = asyncio.Event()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    topic = settings.input_topic
    print(f"sending {rate:g} records/s to {topic} at {settings.bootstrap_servers}", flush=True)
    try:
        return await send_load(connection(settings), topic, wanted, rate, stop)
    except Undelivered:
        return None


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
