"""What a replay is about to do, settled before anything is decided: the same for every process of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import msgspec
from msgspec import Struct

from worker import __version__
from worker.adjudication import ENGINE, Limits
from worker.replay.planning.basis import Basis
from worker.replay.reading.archives import FileFacts
from worker.replay.reading.evidence import Evidence, Shard
from worker.settings import Settings

Kind: TypeAlias = Literal["replay", "what-if", "impact"]
"""As in ``Summary``."""


class Source(Protocol):
    """Topics or files. It goes to every process, so it can be pickled; opened, it is evidence."""

    async def shards(self) -> Sequence[Shard]:
        """What there is to replay, by number. Raises EvidenceError where there is nothing to rely on."""

    def open(self) -> AbstractAsyncContextManager[Evidence]:
        """Readers for one process."""


class TopicRead(Struct, frozen=True):
    """A topic that is read. Which of it is said by the shards, what was in it by their outcomes."""

    role: Literal["events", "results"]
    name: str


@dataclass(frozen=True)
class Asked:
    """What somebody asks of a replay, beside what is to be replayed."""

    limits: Limits
    with_phi: bool = False
    begin: str | None = None
    """Where the window begins and ends, as it was written."""
    end: str | None = None
    basis: tuple[Path, ...] = ()
    """Folders to look in for former policies and code sets."""
    policies: Path | None = None
    """Policies, code sets and payers to decide by too."""
    codes: Path | None = None
    payers: Path | None = None
    shards: tuple[Shard, ...] | None = None
    """Those of the replay that is resumed: its evidence ends where it ended then."""


@dataclass(frozen=True)
class Plan:
    """All that decides what a replay finds."""

    kind: Kind
    source: Source
    inputs: tuple[FileFacts | TopicRead, ...]
    """All that is read, events first: files as they were when this was planned, or topics."""
    shards: tuple[Shard, ...]
    recorded: tuple[Basis, ...]
    """The bases that the published results name, each found again."""
    other: Basis | None
    """The basis to decide by too, where one was asked for."""
    limits: Limits
    with_phi: bool
    named: tuple[tuple[str, ...], ...]
    """Of each shard the digests of the bases that its results name, in their order; one at least."""
    deciding: Settings
    """How records are taken: partitions and their check, as the worker that decided them had it."""
    other_policies: Basis | None = None
    """Where other policies and other code sets were asked for: those policies alone."""
    asked_from: str | None = None
    """Where the window begins and ends, as it was asked for."""
    asked_to: str | None = None


def fingerprint(plan: Plan) -> str:
    """SHA-256 in hex over all that must be the same for a replay to go on where another was interrupted.

    The number of processes and where the output goes are not among it; the version of this program is,
    since what it has put aside is its own.
    """
    told = (
        [__version__, ENGINE, plan.kind, plan.with_phi, plan.asked_from, plan.asked_to],
        plan.limits,
        plan.inputs,
        plan.shards,
        [basis.summary() for basis in plan.recorded],
        plan.named,
        [None if basis is None else basis.summary() for basis in (plan.other, plan.other_policies)],
        [plan.deciding.partitions, plan.deciding.key_partition_check],
    )
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()
