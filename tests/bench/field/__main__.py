"""The worker beside what a Python user would pick instead, and beside Kafka Streams: printed, never asserted.

Run ``python -m tests.bench.field [--rounds 5] [--events 40000] [--members 20000] [--partitions 8]
[--only name,name] [--no-latency] [--out build/bench.json]`` in the tree with the compiled rules, which
``make compiled`` makes: all have the same core then. On a real Kafka on this machine each contestant in turn
adjudicates the same backlog, as one process on one core, and is measured from outside: how many results a
read_committed consumer sees, and what CPU time and memory it took. Then the latency of some of them, at half
of what they reach and at ten events a second.

Every byte of the output is compared with what the pure functions make of the input; but of kafka_streams,
which has rules of its own, only that each event has one result. Exit code 1 when somebody's is not that, when
a run failed or when it was interrupted; 2 for wrong arguments or in another tree. What there is of it is
written after every round.
"""

from __future__ import annotations

import random
import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from subprocess import SubprocessError
from tempfile import TemporaryDirectory

from confluent_kafka import libversion
from rich.console import Console

from tests.bench.field import latency, throughput
from tests.bench.field.contestants import CONTESTANTS, OURS, Contestant, chosen
from tests.bench.field.cores import dealt, on_core
from tests.bench.field.input import Input, prepared
from tests.bench.field.latency import Latency
from tests.bench.field.machine import commit, machine
from tests.bench.field.report import Comparison, show, write
from tests.bench.field.running import RunFailed
from tests.bench.field.standing import UNKNOWN, standings
from tests.bench.field.targets import QUIET_RATE, latency_targets, targets
from tests.bench.field.throughput import Place, Round
from tests.bench.inputs import BUILD
from worker.adjudication import decide
from worker.devkit.jars import BrokerError
from worker.devkit.kafka import KafkaBroker

LOGS = (BUILD / "logs").resolve()
WIDTH = 170
"""Columns of the table where nothing says how many there are."""
BROKER = {"file.delete.delay.ms": 1000}
"""What a run leaves is gone soon, and not while another is measured."""


FAILURES = 2
"""After so many a contestant is left out."""


class Field:
    """The contestants, and what is found of them."""

    def __init__(self, contestants: Sequence[Contestant], options: Namespace, console: Console) -> None:
        self.rounds: list[Round] = []
        self.latencies: list[Latency] = []
        self.errors: list[str] = []
        self.notes: list[str] = []
        self._left = list(contestants)
        self._failures: Counter[str] = Counter()
        self._options = options
        self._console = console

    def measure(self, place: Place, save: Callable[[], None]) -> None:
        """Run everybody, in turns, and save after every round."""
        options = self._options
        with self._console.status("generating and folding the input"):
            inputs = {kind: self._input(*kind) for kind in set(map(_input_of, self._left))}
        for one in self._left:
            if one.name == OURS:
                # Discarded: the first run on a new broker would pay for its warming up.
                with self._trying(one, "warming up the broker"):
                    throughput.measured(one, 0, inputs[_input_of(one)], place)
        for number in range(1, options.rounds + 1):
            for one in shuffled(self._left, number):
                with self._trying(one, f"round {number}: {one.name}"):
                    self.rounds.append(throughput.measured(one, number, inputs[_input_of(one)], place))
            save()
        density = options.members / options.events
        for one, rate in list(self._loads()) if options.latency else ():
            if one in self._left:
                with self._trying(one, f"latency at {rate:,.0f} events a second: {one.name}"):
                    self.latencies.append(latency.measured(one, rate, density, place))
                save()

    def _input(self, share: float, warm_up: float) -> Input:
        options = self._options
        return prepared(
            round(options.events * share), round(options.members * share), options.partitions, warm_up
        )

    def _loads(self) -> Iterator[tuple[Contestant, float]]:
        """At half of what each reaches, and then at little."""
        timed = [one for one in self._left if one.has_latency]
        for one in timed:
            if rates := [each.rate for each in self.rounds if each.contestant == one.name]:
                yield one, median(rates) / 2
        for one in timed:
            yield one, QUIET_RATE

    @contextmanager
    def _trying(self, one: Contestant, what: str) -> Iterator[None]:
        with self._console.status(what):
            try:
                yield
            except Exception as error:  # noqa: BLE001  the edge of one run: the others go on
                self._failed(one, f"{what}: {_said(error)}")

    def _failed(self, one: Contestant, what: str) -> None:
        """Report it, and leave out who fails again; never the worker, whom all are compared with."""
        self.errors.append(what)
        self._console.print(what, markup=False, soft_wrap=True, style="red")
        self._failures[one.name] += 1
        if self._failures[one.name] >= FAILURES and one.name != OURS:
            self._left = [other for other in self._left if other is not one]


def shuffled(contestants: Sequence[Contestant], number: int) -> list[Contestant]:
    """The order of a round: the same in each comparison, another in each round."""
    return random.Random(number).sample(contestants, len(contestants))  # noqa: S311  nothing is guarded by it


def _input_of(one: Contestant) -> tuple[float, float]:
    return one.share, one.warm_up


def _said(error: Exception) -> str:
    """Its type and first line; of a run that failed also the end of its log."""
    if isinstance(error, RunFailed):
        return str(error)
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])


def version_of(one: Contestant) -> str:
    """Its version, or that it is unknown: whatever is missing, its run will say."""
    try:
        return one.version()
    except (BrokerError, ImportError, OSError, SubprocessError):
        return UNKNOWN


def compared(options: Namespace, contestants: Sequence[Contestant], console: Console) -> Comparison:
    """Measure them on a broker of their own; with what there is when that is interrupted."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    cores, field = dealt(), Field(contestants, options, console)
    versions = {one.name: version_of(one) for one in contestants}
    LOGS.mkdir(parents=True, exist_ok=True)
    with (
        on_core(cores.others),
        TemporaryDirectory() as directory,
        KafkaBroker(Path(directory), settings=BROKER) as broker,
    ):
        here, at = machine(broker.kind, libversion()[0]), commit()
        assert broker.pid is not None

        def found() -> Comparison:
            ranked = standings(contestants, field.rounds, versions)
            return Comparison(
                date=date,
                commit=at,
                are_rules_compiled=are_rules_compiled(),
                machine=here,
                pinning=str(cores),
                events=options.events,
                members=options.members,
                partitions=options.partitions,
                standings=ranked,
                targets=targets(ranked),
                latency_targets=latency_targets(field.latencies),
                rounds=field.rounds,
                latencies=field.latencies,
                errors=field.errors,
                notes=field.notes,
            )

        place = Place(broker.bootstrap, broker.pid, options.partitions, cores, LOGS, field.notes.append)
        try:
            field.measure(place, lambda: write(found(), options.out))
        except KeyboardInterrupt:
            field.errors.append("interrupted: this is what there was until then")
        return found()


def are_rules_compiled() -> bool:
    return str(decide.__file__).endswith(".so")


def main() -> None:
    parser = ArgumentParser(prog="python -m tests.bench.field", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--members", type=int, default=20_000, help="how many there are at most")
    parser.add_argument("--partitions", type=int, default=8)
    names = ", ".join(one.name for one in CONTESTANTS)
    parser.add_argument("--only", help=f"contestants beside ours, with commas between them: {names}")
    parser.add_argument("--latency", action=BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path, default=BUILD.parent / "bench.json")
    options = parser.parse_args()
    if not are_rules_compiled():
        parser.error("the rules here are not compiled: run `make compiled`, and then this in build/compiled")
    if min(options.rounds, options.events, options.members, options.partitions) < 1:
        parser.error("there must be one at least of rounds, events, members and partitions")
    try:
        contestants = chosen(options.only)
    except ValueError as error:
        parser.error(str(error))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    found = compared(options, contestants, console)
    show(found, console)
    write(found, options.out)
    console.print(f"{options.out.resolve()}; the contestants' logs: {LOGS}", style="dim", soft_wrap=True)
    sys.exit(0 if found.is_sound else 1)


if __name__ == "__main__":
    main()
