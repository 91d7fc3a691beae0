"""A replay's shards over processes: a fresh one for each, so that none keeps what another has held."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import connection, resource_tracker
from multiprocessing.process import parent_process
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

import msgspec

from worker.replay.planning.plan import Plan
from worker.replay.reading.evidence import Evidence, EvidenceError, Shard
from worker.replay.running.progress import Progress, Reached
from worker.replay.running.whole import write_whole
from worker.replay.running.working import Heard, Interrupted, ShardFiles
from worker.replay.telling.outcome import ShardOutcome
from worker.stream.core_dumps import forbid_core_dumps
from worker.stream.errors import INFRASTRUCTURE, Refused, told
from worker.stream.unlogged import log_to_standard_error, withhold_texts

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from pathlib import Path
    from types import FrameType


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TICK_S = 0.25
"""How often it is looked how far the processes have come, and whether a signal has asked to stop."""
EXIT_S = 5.0
"""How long a process that has said its last word may take to end."""

Work: TypeAlias = Callable[[Plan, Evidence, Shard, ShardFiles, Heard], Coroutine[Any, Any, ShardOutcome]]
"""Replays one shard; a function of a module, since other processes have to find it."""
Watch: TypeAlias = Callable[[Reached], None]


class ShardFailedError(Exception):
    """A shard's replay failed, and the others have put aside what they had done. The text is one line."""


class StoppedError(Exception):
    """A signal has stopped the replay, and all shards have put aside what they had done."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


async def replay_shard(
    plan: Plan, evidence: Evidence, shard: Shard, files: ShardFiles, heard: Heard
) -> ShardOutcome:
    """The replay of a shard; it is loaded only where it is done."""
    from worker.replay.running import shard as deciding  # noqa: PLC0415  the parent does without all that it takes

    return await deciding.replay_shard(plan, evidence, shard, files, heard)


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def replay_shards(
    plan: Plan, directory: Path, processes: int, watch: Watch, work: Work = replay_shard
) -> list[ShardOutcome]:
    """Replay every shard, at most ``processes`` at a time, the largest first; outcomes in the plan's order.

    What an earlier run has left in the state folder of ``directory``, which has to exist, is gone on from.
    The first signal to stop asks all processes to put aside what they have done and raises ``StoppedError``;
    a second one ends them at once and raises SystemExit with 128 and its number. ``ShardFailedError`` where
    one of them fails. However this returns, and however this process ends, none of them is left.
    """
    progress = Progress(multiprocessing.get_context("spawn"), plan.shards)
    left = [place for place in range(len(plan.shards)) if not _is_done(plan, place, directory, progress)]
    left.sort(key=lambda place: (_size(plan.shards[place]), -place))
    failures: list[str] = []
    running: list[_Child] = []
    watch(progress.reached())
    with _listening(progress) as signals:
        try:
            while running or (left and not progress.is_stopped()):
                while left and len(running) < processes and not progress.is_stopped():
                    running.append(_Child.started(_Job(plan, left.pop(), directory, work), progress))
                answering = connection.wait([child.answers for child in running], TICK_S)
                for child in [one for one in running if one.answers in answering]:
                    if (failure := child.failure()) is not None:
                        failures.append(failure)
                        progress.stop()
                    running.remove(child)
                watch(progress.reached())
        finally:
            for child in running:
                child.kill()
    if failures:
        raise ShardFailedError(failures[0])
    if signals:
        raise StoppedError(signals[0])
    return [_outcome(ShardFiles(directory, shard.number)) for shard in plan.shards]


def _size(shard: Shard) -> int:
    return shard.events.end - shard.events.begin


def _is_done(plan: Plan, place: int, directory: Path, progress: Progress) -> bool:
    """Whether an earlier run has done the shard; what it came to is among the progress then."""
    shard = plan.shards[place]
    files = ShardFiles(directory, shard.number)
    if not files.outcome.exists():
        return False
    outcome = _outcome(files)
    progress.of(place).resume(outcome.events_read, outcome.counts.results_differing, shard.events.end)
    return True


def _outcome(files: ShardFiles) -> ShardOutcome:
    return msgspec.json.decode(files.outcome.read_bytes(), type=ShardOutcome)


@contextmanager
def _listening(progress: Progress) -> Iterator[Sequence[int]]:
    """Signals that have come; a second one raises SystemExit. One that is ignored stays so."""
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if came:
            for other in SIGNALS:
                signal.signal(other, signal.SIG_IGN)  # a third one must not cut the killing short
            raise SystemExit(128 + number)
        came.append(number)
        progress.stop()

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, disposition in before.items():
        if disposition is not signal.SIG_IGN:  # nohup, or a script's background job
            signal.signal(number, note)
    try:
        yield came
    finally:
        for number, disposition in before.items():
            signal.signal(number, disposition)


class _Job(NamedTuple):
    """What a process is given: all but how it tells of it."""

    plan: Plan
    place: int
    directory: Path
    work: Work

    @property
    def shard(self) -> Shard:
        return self.plan.shards[self.place]


class _Child(NamedTuple):
    """A process that replays one shard."""

    job: _Job
    process: SpawnProcess
    answers: Connection

    @classmethod
    def started(cls, job: _Job, progress: Progress) -> _Child:
        context = multiprocessing.get_context("spawn")
        answers, say = context.Pipe(duplex=False)
        process = context.Process(target=_replay, args=(job, progress, say), name=f"shard-{job.shard.number}")
        resource_tracker.ensure_running()  # it would let signals through again once it starts
        # A Ctrl-C in the terminal reaches the new process too: no signal does before it can ignore them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        say.close()  # so that the end of the process is the end of its answers
        return cls(job, process, answers)

    def failure(self) -> str | None:
        """What its process failed with, once there is an answer; it ends."""
        number = self.job.shard.number
        try:
            answer: str | None = self.answers.recv()
        except EOFError:
            self.process.join()
            code = self.process.exitcode or 0
            how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            answer = f"the process of partition {number} {how}, and did not say why"
            if code == -signal.SIGKILL:
                answer += "; the system does that when memory runs out: try fewer --processes"
        self.process.join(EXIT_S)
        self.kill()
        return answer

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.answers.close()


def _replay(job: _Job, progress: Progress, answers: Connection) -> None:
    """What a process does. Its answer is None where the shard is done or put aside, else what failed."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # its parent says when to stop
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    forbid_core_dumps()
    withhold_texts()
    log_to_standard_error()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what goes wrong is told once, by the parent
    try:
        _replay_shard(job, progress)
    except Interrupted:
        answers.send(None)
    except BaseException as error:  # noqa: BLE001  the process's edge: a traceback on it could show a claim
        answers.send(_in_words(error, job))
    else:
        answers.send(None)


def _replay_shard(job: _Job, progress: Progress) -> None:
    files = ShardFiles(job.directory, job.shard.number)

    async def opened() -> ShardOutcome:
        async with job.plan.source.open() as evidence:
            return await job.work(job.plan, evidence, job.shard, files, progress.of(job.place))

    outcome = asyncio.run(opened())
    write_whole(files.outcome, msgspec.json.encode(outcome))
    files.checkpoint.unlink(missing_ok=True)


def _end_with_parent() -> NoReturn:
    """Wait for the parent's end, however it comes, and end at once."""
    if (parent := parent_process()) is not None:
        parent.join()
    os._exit(1)


def _in_words(error: BaseException, job: _Job) -> str:
    """One line that quotes no claim: of a bug it has the type and the place alone."""
    if isinstance(error, EvidenceError | Refused):
        return str(error)
    if isinstance(error, INFRASTRUCTURE):
        return f"replaying partition {job.shard.number} failed: {told(error)}"
    return f"replaying partition {job.shard.number} failed by a fault of this program: {told(error)}"
