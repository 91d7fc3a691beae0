"""The replay of one shard: decide its events again, match what comes of it, tell what differs.

It goes in batches of a fixed size from the first event on, so that what is told, and in which order, hangs
on the evidence alone: neither on how brokers deliver it nor on where a replay was interrupted.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from worker.adjudication.redacted import redacted
from worker.replay.deciding.bases_at_work import AtWork, BasesAtWork, told_bases
from worker.replay.deciding.one_basis import Deciding
from worker.replay.deciding.what_if import Turning, apart, others_of
from worker.replay.matching.leftovers import leftovers, match_rest, missing
from worker.replay.matching.matcher import Matcher, PublishedStream
from worker.replay.matching.waiting import State, nothing_waits, waiting_in
from worker.replay.reading.batches import in_batches
from worker.replay.reading.chain import Chain, ChainState
from worker.replay.reading.evidence import EvidenceError
from worker.replay.running.aside import writing_rows
from worker.replay.running.whole import write_whole
from worker.replay.running.working import Interrupted
from worker.replay.telling.masking import Masking, citations_of
from worker.replay.telling.outcome import Counts, ShardOutcome
from worker.replay.telling.results import Results
from worker.replay.telling.teller import Tellings
from worker.stream.histories import Histories
from worker.stream.memory import settle_memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.replay.matching.matcher import Matched
    from worker.replay.matching.waiting import Waiting
    from worker.replay.planning.plan import Plan
    from worker.replay.reading.evidence import Evidence, Record, Shard
    from worker.replay.reading.identity import Identity
    from worker.replay.running.aside import Rows
    from worker.replay.running.working import Heard, ShardFiles

BATCH = 500
"""Events that are decided together."""
CHECKPOINT_BATCHES = 400
"""After so many a checkpoint is written in any case: what a killed replay has to do once more."""


@redacted
class Checkpoint(Struct):
    """Where a shard's replay stands behind a batch: all that it needs to go on."""

    position: int
    """Behind the last event that was decided."""
    results_position: int
    events: ChainState
    results: ChainState
    waiting: State
    tellings: Tellings
    histories: list[dict[bytes, bytes]]
    """By member: of the recorded basis, then of the others."""
    rows: int = 0
    """Bytes of the rows' file."""
    bases: AtWork = field(default_factory=AtWork)
    have_met: bool = False


def _beginning(shard: Shard, sides: int) -> Checkpoint:
    nothing = Chain().state
    return Checkpoint(
        shard.events.begin,
        shard.results.begin,
        nothing,
        nothing,
        nothing_waits(),
        Tellings(Counts()),
        [{} for _ in range(sides)],
    )


async def replay_shard(
    plan: Plan, evidence: Evidence, shard: Shard, files: ShardFiles, heard: Heard
) -> ShardOutcome:
    """Replay a shard, from its checkpoint if there is one.

    Raises ``Interrupted`` once a checkpoint is written, EvidenceError where the evidence does not hold.
    """
    others = [one for one in (plan.other_policies, plan.other) if one is not None]
    if files.checkpoint.exists():
        at = _read(files)
        heard.resume(at.events.records, at.tellings.counts.results_differing, at.position)
    else:
        at = _beginning(shard, 1 + len(others))
    with ExitStack() as stack:
        rows = stack.enter_context(writing_rows(files.rows, at.rows))
        waiting = stack.enter_context(waiting_in(files.waiting, at.waiting))
        told = await told_bases(evidence, shard, plan.named[plan.shards.index(shard)])
        replay = _Replay(plan, evidence, shard, at, (rows, waiting), told)
        await replay.run(files, heard)
        outcome = await replay.finish()
    files.checkpoint.unlink(missing_ok=True)
    files.waiting.unlink()
    return outcome


def _read(files: ShardFiles) -> Checkpoint:
    try:
        return msgspec.msgpack.decode(files.checkpoint.read_bytes(), type=Checkpoint)
    except msgspec.DecodeError as error:
        raise EvidenceError(f"{files.checkpoint}: it is no checkpoint of this version; begin anew") from error


class _Replay:
    """A shard's replay at work."""

    def __init__(
        self,
        plan: Plan,
        evidence: Evidence,
        shard: Shard,
        at: Checkpoint,
        files: tuple[Rows, Waiting],
        told: Mapping[Identity, int],
    ) -> None:
        self._evidence = evidence
        self._shard = shard
        self._at = at
        self._rows, self._waiting = files
        self._chain = Chain(at.events)
        self._results_chain = Chain(at.results)
        histories = [Histories(states) for states in at.histories]
        settings, limits = plan.deciding, plan.limits
        digests = plan.named[plan.shards.index(shard)]
        bases = {basis.digest: basis for basis in plan.recorded}
        deciding = [Deciding(bases[one].load(), settings, limits, histories[0]) for one in digests]
        self._own = BasesAtWork(deciding, told, histories[0], at.bases)
        self._turning: Turning | None = None
        if plan.other is not None:
            codes = {plan.other.policies_digest} == {one.policies_digest for one in plan.recorded}
            both = Deciding(plan.other.load(), settings, limits, histories[-1])
            policies = plan.other_policies
            alone = None if policies is None else Deciding(policies.load(), settings, limits, histories[1])
            self._turning = Turning(others_of(alone, both, codes=codes or policies is not None))
        settle_memory()
        self._has_results = plan.kind != "impact"
        published = evidence.results(shard, at.results_position, shard.results.end)
        self._stream = PublishedStream(published, self._results_chain, at.results_position)
        self._matcher = Matcher(self._stream, self._waiting, have_met=at.have_met)
        known = frozenset[str]().union(*(citations_of(one.reference) for one in deciding))
        self._results = Results(shard, at.tellings, plan, None if plan.with_phi else Masking(known))

    async def run(self, files: ShardFiles, heard: Heard) -> None:
        """Replay what is left of the window's events, and those before it."""
        shard, tellings = self._shard, self._at.tellings
        end, batches = min(shard.events.end, shard.window.end), 0
        async for records in in_batches(self._evidence.events(shard, self._at.position, end), BATCH):
            before = tellings.counts.results_differing
            await self._replay(records)
            self._at.position = records[-1].offset + 1
            heard.advance(len(records), tellings.counts.results_differing - before, self._at.position)
            batches += 1
            is_interrupted = heard.is_interrupted()
            if is_interrupted or batches % CHECKPOINT_BATCHES == 0:
                write_whole(files.checkpoint, msgspec.msgpack.encode(self._checkpoint()))
            if is_interrupted:
                raise Interrupted
        self._at.position = max(self._at.position, end)

    async def _replay(self, records: Sequence[Record]) -> None:
        self._chain.take(records)
        self._results.count_events(records)
        for part in [records] if self._turning is None else apart(records):
            decisions = self._own.decide(part, self._shard)
            self._results.count_decisions(decisions, part)
            if self._has_results:
                self._tell(await self._matcher.match(decisions.results), part)
            if self._turning is not None:
                compared = self._turning.compare(part, self._shard, self._own, decisions.results)
                self._rows.write(self._results.tell_compared(compared, part, self._own.histories))

    def _tell(self, matched: Matched, records: Sequence[Record] = ()) -> None:
        self._results.count_reproduced(matched.reproduced)
        for match in matched.others:
            self._rows.write(self._results.tell_match(match, records, self._own.histories))

    async def finish(self) -> ShardOutcome:
        """Tell what has found no counterpart, and sum up."""
        shard, tellings = self._shard, self._at.tellings
        if self._has_results:
            async for matched in match_rest(self._evidence, shard, self._stream, self._matcher):
                self._tell(matched)
            async for expected, records in missing(self._evidence, shard, self._waiting):
                self._rows.write(self._results.tell_missing(expected, records, self._own.histories))
            async for leftover in leftovers(self._evidence, shard, self._waiting):
                self._rows.write(self._results.tell_leftover(leftover, self._own.histories))
        tellings.counts.events_undecidable = self._at.bases.undecidable
        self._rows.end()
        return ShardOutcome(
            shard,
            tellings.counts,
            tellings.examples,
            self._chain.digest,
            self._results_chain.digest,
            self._chain.records,
            self._results_chain.records,
            self._stream.position,
            tellings.first_ms,
            tellings.last_ms,
        )

    def _checkpoint(self) -> Checkpoint:
        at = self._at
        at.results_position = self._stream.position
        at.events, at.results = self._chain.state, self._results_chain.state
        at.waiting = self._waiting.save()
        at.rows = self._rows.end()
        at.have_met = self._matcher.have_met
        return at
