"""``mms-worker devkit demo``: the whole worker at work on this machine, on made-up claims."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple, NoReturn

import orjson
from aiokafka.errors import KafkaError
from cyclopts import Parameter
from cyclopts.types import PositiveInt
from rich.console import Console

from worker.devkit.broker import start_broker
from worker.devkit.changed import print_change, telling_change
from worker.devkit.embedded import EmbeddedBroker
from worker.devkit.jars import BrokerError
from worker.devkit.kafka import KafkaBroker
from worker.devkit.local import LocalError, LocalWorker, create_topics, local_settings, local_worker
from worker.devkit.oracle import expected_of
from worker.devkit.report import print_report
from worker.devkit.script import Script, script_of
from worker.devkit.tally import Tally
from worker.devkit.traffic import exchange, mixed
from worker.devkit.watch import watching
from worker.settings import Settings

ANSWER_SECONDS = 60.0
"""Longest wait for all answers; some 3 s are usual, which is the time over which the claims are sent."""
SHOWN_METRICS = (
    "mms_decisions_total{",
    "mms_readjudications_total{",
    "mms_dead_letters_total{",
    "mms_consumer_lag_records{",
)
EXPLAIN_SECONDS = 60.0
INTERRUPTED = 130


def demo(
    *,
    claims: Annotated[PositiveInt, Parameter(help="How many claims, beside the histories.")] = 300,
    seed: Annotated[int, Parameter(help="The same seed, the same claims.")] = 7,
    keep: Annotated[
        bool, Parameter(help="Keep broker and worker running until Ctrl-C.", negative="")
    ] = False,
) -> None:
    """Show the worker at work: a broker, topics, a worker, made-up claims, and what becomes of them.

    Ends by itself with exit code 0, or with 1 and one line that says what failed. Nothing is left running.
    """
    console = Console(highlight=False)
    home = Path(tempfile.mkdtemp(prefix="mms-demo-"))
    try:
        with _terminable(), ExitStack() as ending:
            clock = _Clock()
            stage = _set_up(console, home, ending)
            _play(stage, script_of(claims, seed))
            console.print(f"\nDone in {clock.lap()}.")
            if keep:
                _stay(stage)
    except (BrokerError, LocalError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"mms-worker: the demo failed: {_one_line(str(error))}\n")
        raise SystemExit(1) from None  # the logs stay: the message may name one
    except KeyboardInterrupt:
        console.print("\nStopped.")
        shutil.rmtree(home, ignore_errors=True)
        raise SystemExit(0 if keep else INTERRUPTED) from None
    shutil.rmtree(home, ignore_errors=True)


class _Stage(NamedTuple):
    """What the demo plays on."""

    console: Console
    home: Path
    broker: KafkaBroker | EmbeddedBroker
    settings: Settings
    worker: LocalWorker


def _play(stage: _Stage, script: Script) -> None:
    """Send everything, and show what became of it."""
    tally = _exchange(stage, script)
    half, most = (round(tally.wait(share) * 1000) for share in (0.5, 0.95))
    _say(stage.console, "waits", f"half of the results within {half} ms of sending, 95 % within {most} ms")
    _say(stage.console, "checked", "every result is, byte for byte, what the same events give without Kafka")
    print_report(tally, stage.console)
    _explain(stage, script, tally)
    _show_metrics(stage)
    _show_a_change(stage, script, tally)


def _set_up(console: Console, home: Path, ending: ExitStack) -> _Stage:
    """Start a broker and a worker; ``ending`` stops them."""
    clock = _Clock()
    with console.status("starting a broker (the first time Maven fetches Apache Kafka's jars, 45 MB)"):
        broker = start_broker(home / "broker")
    ending.callback(broker.stop)
    _say(console, "broker", f"[bold]{broker.kind}[/] at {broker.bootstrap}, {clock.lap()}")
    if isinstance(broker, EmbeddedBroker):
        _say(console, "", f"[yellow]not a real broker, since {_one_line(broker.because)}[/]")
    settings = local_settings(broker.bootstrap)
    create_topics(broker, settings)
    flow = f"{settings.input_topic} → {settings.results_topic}, {settings.dead_letter_topic}"
    _say(console, "topics", f"{flow}; {settings.partitions} partitions each, {clock.lap()}")
    worker = ending.enter_context(local_worker(settings, home))
    _say(console, "worker", f"process {worker.pid}, ready in {clock.lap()}")
    return _Stage(console, home, broker, settings, worker)


def _stay(stage: _Stage) -> NoReturn:
    """Keep everything running until Ctrl-C, or until the worker ends."""
    broker, web = stage.broker.bootstrap, stage.worker.web
    stage.console.print(f"Broker {broker} and worker {web} keep running; Ctrl-C stops them.", soft_wrap=True)
    while True:
        stage.worker.check()
        time.sleep(1)


def _exchange(stage: _Stage, script: Script) -> Tally:
    """Send claims, histories and bad records, and show the answers as they come."""
    records = mixed(script.bad, script.claims, script.histories)
    tally = Tally(expected_of([(record.key, record.plain) for record in records], stage.settings))
    stories = f"{len(script.histories)} events of {script.members} members with many claims"
    what = f"{len(script.claims)} claims, {stories}, {len(script.bad)} bad records"
    _say(stage.console, "events", f"sending {what}")
    checksums = not isinstance(stage.broker, EmbeddedBroker)

    async def until_answered() -> None:
        with watching(stage.console, tally) as show:

            def look() -> None:
                show()
                stage.worker.check()

            async with asyncio.timeout(ANSWER_SECONDS):
                await exchange(stage.settings, records, tally, look, checksums=checksums)

    try:
        asyncio.run(until_answered())
    except KafkaError as error:
        raise LocalError(f"the broker failed: {type(error).__name__}") from None
    except TimeoutError:
        raise LocalError(
            f"{tally.answered} of {tally.expected.answers} answers came in {ANSWER_SECONDS:.0f} s; "
            f"the worker's log: {stage.worker.log}"
        ) from None
    if tally.fault is not None:
        raise LocalError(f"{tally.fault}; the worker's log: {stage.worker.log}")
    return tally


def _explain(stage: _Stage, script: Script, tally: Tally) -> None:
    """One claim as ``mms-worker explain`` tells it, and how to ask for others."""
    console, claims = stage.console, script.claims
    claim_id = tally.telling_claim({event["data"]["claim_id"] for event in claims})
    file = stage.home / "claims.jsonl"
    file.write_bytes(b"".join(orjson.dumps(event) + b"\n" for event in claims))
    asked = f"mms-worker explain claims.jsonl --claim {claim_id}"
    console.print(f"\n[bold]One claim explained[/] [dim]({asked})[/]", soft_wrap=True)
    sys.stdout.flush()  # the command writes to the same place
    width = f"COLUMNS={console.width}"
    explain = ["env", width, sys.executable, "-m", "worker", "explain", str(file), "--claim", claim_id]
    done = subprocess.run(explain, check=False, timeout=EXPLAIN_SECONDS)  # noqa: S603  our own command
    if done.returncode != 0:
        raise LocalError(f"claim {claim_id} could not be explained")
    console.print(f"\n[dim]The same claims in a file: {script.generate_claims}[/]", soft_wrap=True)


def _show_a_change(stage: _Stage, script: Script, tally: Tally) -> None:
    """A decision before and after another claim came, and how to ask for more of them."""
    change = telling_change(tally)
    if change is None:
        return
    print_change(change, tally, stage.console)
    explain = f"mms-worker explain histories.jsonl --claim {change.after['claim_id']}"
    hints = f"The same histories in a file: {script.generate_histories}\nThe claim explained: {explain}"
    stage.console.print(f"\n[dim]{hints}[/]", soft_wrap=True)


def _show_metrics(stage: _Stage) -> None:
    page = stage.worker.get("/metrics") or ""
    stage.console.print(f"\n[bold]Metrics[/] at {stage.worker.web}/metrics, among them")
    for start in SHOWN_METRICS:
        for line in [line for line in page.splitlines() if line.startswith(start)][:3]:
            stage.console.print(f"  {line}", style="dim", markup=False)


def _say(console: Console, what: str, text: str) -> None:
    console.print(f"[cyan]{what:<8}[/]{text}", soft_wrap=True)


def _one_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


class _Clock:
    """Times the acts of the demo."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def lap(self) -> str:
        """The time since the last lap, for people."""
        now = time.monotonic()
        took, self._last = now - self._last, now
        return f"{took:.1f} s"


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does: everything that it started is stopped."""
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
