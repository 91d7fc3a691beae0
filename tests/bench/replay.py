"""How fast a replay is beside the live worker, and what memory it takes: printed, never asserted.

Run ``python -m tests.bench.replay [--events 1000000] [--members 200000] [--partitions 8] [--rounds 1]``. On a
real Kafka on this machine one live worker decides a backlog. Then ``mms-worker replay`` decides all of it
again, as a user would have it do, with one process and with two, in turns.

A tenth of the events is generated, and kept under ``build/bench``; the others are copies of it under other
members' and claims' names, so that members come as often as they do among generated events. What was measured
goes to ``build/bench/replay.json``.

Exit code 1 when a replay does not find that everything was reproduced.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from shutil import rmtree
from statistics import median
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from tests.bench.backlog import backlog
from tests.bench.inputs import BUILD
from tests.bench.processes import Family, busy, resident
from tests.bench.sending import send
from tests.stream.streamkit import Stream, Worker
from worker.devkit.kafka import KafkaBroker
from worker.devkit.local import STOP_SECONDS
from worker.replay.output.summary import Summary

LOOK_S = 0.2
"""Between two looks at what is measured: each takes some milliseconds, on a core that it is measured on."""
PATIENCE_S = 120.0
"""How long the live worker may decide nothing."""
PROCESSES = (1, 2)
MIB = 2**20
TO_LIVE, TO_ONE = 1.0, 1.4
"""Targets for the rates: of one process to the live worker, and of two processes to one."""
MOST_MIB = 500
"""Target for the resident memory of a process."""


class Live(Struct):
    """The live worker, from its first commit to its last."""

    events_per_s: float
    cpu_s: float
    """From its start to its end."""
    peak: int
    """Bytes."""


class Replay(Struct):
    """One replay, as a user sees it, and its parts."""

    processes: int
    exit_code: int
    verdict: str
    events: int
    wall_s: float
    planning_s: float
    """From the start of the command to that of the first process that decides."""
    deciding_s: float
    """Until the last such process has ended."""
    concluding_s: float
    """Tables, report and manifest, up to the command's end."""
    cpu_s: float
    """Of all its processes."""
    other_cpu_s: float
    """Of all else on this machine meanwhile: the broker, this bench, and whoever shares the cores."""
    peak_parent: int
    peak_shard: int
    """Of the process that decides and took most. Bytes, as above."""

    @property
    def is_good(self) -> bool:
        """Whether every published result was reproduced."""
        return self.exit_code == 0 and self.verdict == "reproduced"


PARTS: Mapping[str, Callable[[Replay], float]] = {
    "whole command, s": lambda one: one.wall_s,
    "of it planning": lambda one: one.planning_s,
    "of it deciding": lambda one: one.deciding_s,
    "of it concluding": lambda one: one.concluding_s,
}
PEAKS = "peak_shard", "peak_parent"


class Measured(Struct):
    """All of it, as the file has it."""

    events: int
    members: int
    partitions: int
    cores: int
    load_average: float
    live: Live
    replays: list[Replay]


async def decided_live(stream: Stream, events: int) -> Live:
    """Have a worker decide the backlog. Raises RuntimeError when it ends or halts before."""
    before = _cpu_of_children()
    worker = stream.worker()
    first = last = (0.0, 0)
    async with stream.administration() as client:
        while last[1] < events:
            now = time.monotonic(), await stream.committed(client)
            if now[1] > last[1]:
                first, last = first if first[1] else now, now
            _check(worker, now[0] - (last[0] or now[0]))
            await asyncio.sleep(LOOK_S)
    peak = resident(worker.pid, "VmHWM")
    await asyncio.to_thread(worker.stop, STOP_SECONDS)
    rate = (last[1] - first[1]) / max(LOOK_S, last[0] - first[0])
    return Live(rate, _cpu_of_children() - before, peak)


def _check(worker: Worker, idle_s: float) -> None:
    if worker.exit_code is not None:
        raise RuntimeError(f"the worker ended; it said:\n{worker.text}")
    if idle_s > PATIENCE_S:
        raise RuntimeError(f"the worker decided nothing for {PATIENCE_S:.0f} s; it said:\n{worker.text}")


def replayed(stream: Stream, processes: int, out: Path, console: Console) -> Replay:
    """Replay into a new folder, which is gone afterwards. What the command said is shown if it went wrong."""
    cpu, of_all, began = _cpu_of_children(), busy(), time.monotonic()
    command = stream.command("replay", "--out", str(out), "--processes", str(processes))
    worker = stream.process(command)
    family = Family(worker.pid)
    while worker.exit_code is None:
        family.look()
        time.sleep(LOOK_S)
    ended = time.monotonic()
    shards = [life for life in family.lives.values() if "spawn_main" in life.command]
    first = min((life.first for life in shards), default=ended)
    last = max((life.last for life in shards), default=ended)
    cpu, of_all = _cpu_of_children() - cpu, busy() - of_all
    verdict, events = _found(out)
    replay = Replay(
        processes=processes,
        exit_code=worker.exit_code,
        verdict=verdict,
        events=events,
        wall_s=ended - began,
        planning_s=first - began,
        deciding_s=last - first,
        concluding_s=ended - last,
        cpu_s=cpu,
        other_cpu_s=of_all - cpu,
        peak_parent=family.lives[worker.pid].peak,
        peak_shard=max((life.peak for life in shards), default=0),
    )
    if not replay.is_good:
        console.print(worker.text, markup=False, soft_wrap=True)
    rmtree(out, ignore_errors=True)
    return replay


def _found(out: Path) -> tuple[str, int]:
    """Verdict and number of events of a replay's summary."""
    file = out / "summary.json"
    if not file.exists():
        return "none", 0
    summary = msgspec.json.decode(file.read_bytes(), type=Summary)
    return summary.verdict, summary.counts.events_replayed


def _cpu_of_children() -> float:
    """CPU seconds of all processes that have ended, by this one's children and theirs."""
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measured(stream: Stream, directory: Path, options: Namespace, console: Console) -> Measured:
    """Send the backlog, have it decided live, and replay it."""
    asyncio.run(stream.create_topics())
    with console.status("generating and sending"):
        members: set[bytes] = set()
        took = send(stream, _noting(backlog(options.events, options.members), members))
    console.print(f"{options.events:,} events of {len(members):,} members were sent in {took:.0f} s")
    with console.status("deciding live"):
        live = asyncio.run(decided_live(stream, options.events))
    replays = []
    for number in range(options.rounds):
        for processes in PROCESSES:
            with console.status(f"replaying, round {number + 1}, processes: {processes}"):
                replays.append(
                    replayed(stream, processes, directory / f"replay-{number}-{processes}", console)
                )
    return Measured(
        events=options.events,
        members=len(members),
        partitions=options.partitions,
        cores=os.cpu_count() or 1,
        load_average=os.getloadavg()[0],
        live=live,
        replays=replays,
    )


def _noting(records: Iterator[tuple[bytes, bytes]], members: set[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for member, value in records:
        members.add(member)
        yield member, value


def show(measured: Measured, console: Console) -> None:
    """The table, and how it stands to the targets."""
    live, replays = (
        measured.live,
        [[one for one in measured.replays if one.processes == processes] for processes in PROCESSES],
    )
    rates = [measured.events / median(one.wall_s for one in some) for some in replays]
    table = Table("", "live worker", *(f"replay by {processes}" for processes in PROCESSES), box=None)
    table.add_row("events/s", f"{live.events_per_s:,.0f}", *(f"{rate:,.0f}" for rate in rates))
    table.add_row("to the live worker", "1.00", *(f"{rate / live.events_per_s:.2f}" for rate in rates))
    for name, of in PARTS.items():
        table.add_row(name, "", *(f"{median(of(one) for one in some):,.1f}" for some in replays))
    deciding = (measured.events / median(one.deciding_s for one in some) for some in replays)
    table.add_row("events/s, deciding alone", "", *(f"{rate:,.0f}" for rate in deciding))
    cpu = [live.cpu_s, *(median(one.cpu_s for one in some) for some in replays)]
    table.add_row("CPU s, start included", *(f"{seconds:,.1f}" for seconds in cpu))
    others = (median(one.other_cpu_s for one in some) for some in replays)
    table.add_row("CPU s of all else meanwhile", "", *(f"{seconds:,.1f}" for seconds in others))
    table.add_row("events per CPU s", *(f"{measured.events / seconds:,.0f}" for seconds in cpu))
    shards, parents = ([max(getattr(one, name) for one in some) for some in replays] for name in PEAKS)
    table.add_row("peak MiB, of what decides", *(f"{peak / MIB:.0f}" for peak in (live.peak, *shards)))
    table.add_row("peak MiB, of the command", "", *(f"{peak / MIB:.0f}" for peak in parents))
    console.print(table)
    one, two = rates[0] / live.events_per_s, rates[1] / rates[0]
    most = max(*shards, *parents) / MIB
    console.print(
        f"one process to the live worker: {one:.2f} (target: {TO_LIVE:g}); two processes to one: {two:.2f} "
        f"(target: {TO_ONE:g}); a process has at most {most:.0f} MiB (target: {MOST_MIB})",
        soft_wrap=True,
    )


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--members", type=int, default=200_000, help="how many there are at most")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1, help="replays of each kind")
    options = parser.parse_args()
    console = Console(highlight=False)
    with TemporaryDirectory() as name, KafkaBroker(Path(name)) as broker, ExitStack() as ending:
        stream = Stream(broker.bootstrap, "replay", Path(name), ending, partitions=options.partitions)
        found = measured(stream, Path(name), options, console)
    show(found, console)
    file = BUILD / "replay.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    console.print(
        f"load average {found.load_average:.1f} on {found.cores} cores; {file.relative_to(BUILD.parents[1])}",
        style="dim",
    )
    sys.exit(0 if all(replay.is_good for replay in found.replays) else 1)


if __name__ == "__main__":
    main()
