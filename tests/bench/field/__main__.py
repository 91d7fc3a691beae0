"""The worker beside what a Python user would pick instead, and beside Kafka Streams: printed, never asserted.

Run ``python -m tests.bench.field [--rounds 5] [--events 40000] [--members 20000] [--partitions 8]
[--only name,name] [--no-latency] [--out build/bench.json]`` in the tree with the compiled rules, which
``make compiled`` makes: all have the same core then. On a real Kafka on this machine each contestant in turn
adjudicates the same backlog, as one process on one core, and is measured from outside: how many results a
read_committed consumer sees, and what CPU time and memory it took. Then the latency of some of them, at half
of what they reach and at ten events a second.

Every byte of the output is compared with what the pure functions make of the input. Exit code 1 when
somebody's is not that, or when a contestant could not be measured; 2 for wrong arguments or in another tree.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from confluent_kafka import KafkaException, libversion
from rich.console import Console

from tests.bench.field import latency, throughput
from tests.bench.field.contestants import CONTESTANTS, Contestant, chosen
from tests.bench.field.cores import dealt, on_core
from tests.bench.field.input import Input, prepared
from tests.bench.field.latency import Latency
from tests.bench.field.machine import machine
from tests.bench.field.report import Comparison, show, standings, write
from tests.bench.field.running import RunFailed
from tests.bench.field.throughput import Place, Round
from tests.bench.inputs import BUILD
from worker.adjudication import decide
from worker.devkit.kafka import KafkaBroker

LOGS = (BUILD / "logs").resolve()
WIDTH = 170
"""Columns of the table where nothing says how many there are."""
QUIET_RATE = 10.0
"""Events a second of a system that has little to do."""
BROKER = {"file.delete.delay.ms": 1000}
"""What a run leaves is gone soon, and not while another is measured."""


class Field:
    """The contestants, and what is found of them."""

    def __init__(self, contestants: Sequence[Contestant], options: Namespace, console: Console) -> None:
        self.rounds: list[Round] = []
        self.latencies: list[Latency] = []
        self.errors: list[str] = []
        self._left = list(contestants)
        self._options = options
        self._console = console

    def measure(self, place: Place) -> None:
        """Run everybody, in turns; who fails is left out from then on."""
        options = self._options
        with self._console.status("generating and folding the input"):
            inputs = {share: self._input(share) for share in {one.share for one in self._left}}
        for number in range(1, options.rounds + 1):
            first = (number - 1) % max(1, len(self._left))
            for one in self._left[first:] + self._left[:first]:
                with self._trying(one, f"round {number}: {one.name}"):
                    self.rounds.append(throughput.measured(one, number, inputs[one.share], place))
        density = options.members / options.events
        if options.latency:
            for one, rate in list(self._loads()):
                with self._trying(one, f"latency at {rate:,.0f} events a second: {one.name}"):
                    self.latencies.append(latency.measured(one, rate, density, place))

    def _input(self, share: float) -> Input:
        options = self._options
        return prepared(round(options.events * share), round(options.members * share), options.partitions)

    def _loads(self) -> Iterator[tuple[Contestant, float]]:
        """At half of what each reaches, and then at little."""
        timed = [one for one in self._left if one.has_latency]
        for one in timed:
            yield one, median(each.rate for each in self.rounds if each.contestant == one.name) / 2
        for one in timed:
            yield one, QUIET_RATE

    @contextmanager
    def _trying(self, one: Contestant, what: str) -> Iterator[None]:
        with self._console.status(what):
            try:
                yield
            except (RunFailed, KafkaException, OSError, RuntimeError) as error:
                self.errors.append(f"{what}: {error}")
                self._console.print(self.errors[-1], markup=False, soft_wrap=True, style="red")
                self._left = [other for other in self._left if other is not one]


def compared(options: Namespace, contestants: Sequence[Contestant], console: Console) -> Comparison:
    """Measure them on a broker of their own."""
    cores, field = dealt(), Field(contestants, options, console)
    LOGS.mkdir(parents=True, exist_ok=True)
    with (
        on_core(cores.others),
        TemporaryDirectory() as directory,
        KafkaBroker(Path(directory), settings=BROKER) as broker,
    ):
        here = machine(broker.kind, libversion()[0])
        assert broker.pid is not None
        field.measure(Place(broker.bootstrap, broker.pid, options.partitions, cores, LOGS))
    return Comparison(
        machine=here,
        pinning=str(cores),
        events=options.events,
        members=options.members,
        partitions=options.partitions,
        standings=standings(contestants, field.rounds),
        rounds=field.rounds,
        latencies=field.latencies,
        errors=field.errors,
    )


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
    if not str(decide.__file__).endswith(".so"):
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
