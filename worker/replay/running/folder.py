"""The folder of a replay's output: begun, resumed, and in the end nothing in it but what was asked for."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from worker.replay.output.manifest import MANIFEST, Run
from worker.replay.planning.plan import Plan, fingerprint
from worker.replay.reading.evidence import EvidenceError, Shard
from worker.replay.running.whole import PRIVATE, write_whole
from worker.replay.running.working import STATE

BEGUN = "begun.json"


class Begun(Struct, frozen=True):
    """What a replay was begun with: enough to tell whether another one may go on where it stopped."""

    fingerprint: str
    shards: tuple[Shard, ...]
    """Topics grow: a replay that is resumed ends where the one that was begun would have ended."""
    runs: tuple[Run, ...]


def found(directory: Path, *, resume: bool) -> Begun | None:
    """What is to be gone on from, None for a new replay. Nothing is written.

    Raises EvidenceError where the folder is in use for something else, or there is nothing to resume.
    """
    state = directory / STATE
    try:
        if resume:
            return _begun(directory)
        if state.exists():
            raise EvidenceError(
                f"{directory}: a replay was interrupted here; go on with --resume, or give another --out"
            )
        if directory.exists() and any(directory.iterdir()):
            raise EvidenceError(f"{directory}: the folder is not empty; give --out one that is, or a new one")
    except OSError as error:
        raise EvidenceError(f"{directory}: {error.strerror}; --out names a folder") from error
    return None


def _begun(directory: Path) -> Begun:
    try:
        return msgspec.json.decode((directory / STATE / BEGUN).read_bytes(), type=Begun)
    except FileNotFoundError as error:
        if (directory / MANIFEST).exists():
            raise EvidenceError(f"{directory}: the replay is done, there is nothing to resume") from error
        raise EvidenceError(f"{directory}: no replay was interrupted here; begin without --resume") from error
    except msgspec.DecodeError as error:
        raise EvidenceError(
            f"{directory}: what an interrupted replay has put aside cannot be read; begin a new one, in "
            "another folder"
        ) from error


@contextmanager
def working_in(directory: Path, plan: Plan, before: Begun | None, run: Run) -> Iterator[tuple[Run, ...]]:
    """The folder while it is worked in, by one process alone; all runs so far, this one among them.

    What was put aside stays there on any failure, and is gone when this ends without one. Raises
    EvidenceError if the plan is not that of the replay to go on with, or another process works here.
    """
    same = fingerprint(plan)
    if before is not None and before.fingerprint != same:
        raise EvidenceError(
            f"{directory}: the replay that was interrupted here was asked for or with something else: give "
            "the same options, files and version of this program, or begin a new one, in another folder"
        )
    begun = Begun(same, plan.shards, (run,)) if before is None else replace(before, runs=(*before.runs, run))
    state = directory / STATE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if plan.with_phi:
            directory.chmod(0o700)
        state.mkdir(0o700, exist_ok=True)  # histories of members are put aside here
        with _alone(state):
            write_whole(state / BEGUN, msgspec.json.encode(begun))
            yield begun.runs
            shutil.rmtree(state)
    except OSError as error:
        raise EvidenceError(f"{error.filename or directory}: {error.strerror or error}") from error


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Hold the folder's lock, which goes with this process however it ends."""
    descriptor = os.open(state / "lock", os.O_WRONLY | os.O_CREAT, PRIVATE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EvidenceError(f"{state.parent}: another process replays into this folder") from error
        yield
    finally:
        os.close(descriptor)
