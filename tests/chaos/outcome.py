"""What came of a run: its figures, and a line for each thing that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.chaos.evidence import Evidence
from tests.chaos.journal import Journal
from tests.chaos.replay import replay
from tests.chaos.run import Options, Ran
from tests.chaos.verdict import Verdict, verdict

DOUBTS = ("lane begins again", "fenced: all lanes dropped, joining again", "membership failed, joining again")
"""What workers log when a fault has reached them and they live on."""


class Outcome(NamedTuple):
    """What came of a run."""

    options: Options
    seconds: float
    """From the beginning of the faults to the commit of the last record."""
    journal: Journal
    verdict: Verdict
    faults: list[str]
    """What workers did that they must not do, and what did not come about."""
    written: int
    """Records of the changelog."""
    left: int
    """Those of them that compaction has left."""
    aborted: int
    """Results that were written and never published: their transactions were aborted."""
    doubts: Mapping[str, int]
    """How often workers logged each of ``DOUBTS``."""

    @property
    def violations(self) -> list[str]:
        """A line for each thing that is wrong; empty when all is well."""
        return [*self.faults, *self.verdict.violations]


def judge(ran: Ran) -> Outcome:
    """Judge a run that is over; decides its input twice, which takes as long as that is."""
    final, seen, fleet = ran.final, ran.seen, ran.stage.fleet
    evidence = Evidence(
        sent=seen.load.evidence,
        watched=seen.follower.watched,
        committed=seen.offsets.history,
        histories=(final.histories.members, seen.follower.histories),
        replayed=replay(ran.stream, final.source, ran.directory),
        ends=final.ends,
    )
    return Outcome(
        ran.options,
        ran.seconds,
        ran.stage.journal,
        verdict(ran.stream.settings, final.source, final.results, final.dead_letters, evidence),
        [*fleet.faults, *ran.stuck, *_unproven(ran)],
        seen.follower.written,
        final.histories.records,
        final.aborted,
        {event: fleet.said(event) for event in DOUBTS},
    )


def _unproven(ran: Ran) -> Iterator[str]:
    """What the run should have put to the proof and has not."""
    if ran.final.histories.records >= ran.seen.follower.written:
        yield "compaction is not proven: the log cleaner has taken nothing from the changelog"
