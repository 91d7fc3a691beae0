"""What came of a run: its figures, and a line for each thing that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.chaos.evidence import Evidence
from tests.chaos.journal import Journal
from tests.chaos.replay import replay
from tests.chaos.run import Options, Ran
from tests.chaos.verdict import Verdict, verdict

BEGINS_AGAIN = "lane begins again"
DOUBTS = (BEGINS_AGAIN, "fenced: all lanes dropped, joining again", "membership failed, joining again")
"""What workers log when a fault has reached them and they live on."""
IN_TIME_SHARE = 0.5
"""Of what was published the concurrent consumer must have seen so much while there were faults."""


class Outcome(NamedTuple):
    """What came of a run."""

    options: Options
    seconds: float
    """From the beginning of the faults to the commit of the last record."""
    journal: Journal
    verdict: Verdict
    faults: list[str]
    """What workers did that they must not do, and what did not come about."""
    unknown: int
    """Records of which the producer was told nothing: each excuses one of the input that is not known."""
    in_time: int
    """Results and dead letters that the concurrent consumer had seen when the load stopped."""
    written: int
    """Records of the changelog."""
    left: int
    """Those of them that compaction has left."""
    aborted: int
    """Results that were written and never published: their transactions were aborted."""
    doubts: Mapping[str, int]
    """How often workers logged each of ``DOUBTS``."""

    @property
    def unproven(self) -> list[str]:
        """A line for each thing that the run should have put to the proof and has not."""
        published = self.verdict.results + self.verdict.dead_letters
        proofs = {
            "compaction: the log cleaner has taken nothing from the changelog": self.left < self.written,
            "that what is aborted is not seen: no result was written and then aborted": self.aborted > 0,
            "that lanes begin again: none had to": self.doubts[BEGINS_AGAIN] > 0,
            f"the concurrent view: {self.in_time} of {published} results and dead letters were seen while "
            "there was load": self.in_time >= IN_TIME_SHARE * published,
        }
        return [f"not proven is {what}" for what, is_proven in proofs.items() if not is_proven]

    @property
    def violations(self) -> list[str]:
        """A line for each thing that is wrong; empty when all is well."""
        return [*self.faults, *self.unproven, *self.verdict.violations]


def judge(ran: Ran) -> Outcome:
    """Judge a run that is over; decides its input twice, which takes as long as that is."""
    final, seen, fleet, settings = ran.final, ran.seen, ran.stage.fleet, ran.stream.settings
    evidence = Evidence(
        sent=seen.load.evidence,
        watched=seen.follower.watched,
        committed=seen.follower.commits,
        at_end={
            place.partition: (final.committed[place.partition], end.high)
            for place, end in final.ends.items()
            if place.topic == settings.input_topic
        },
        histories=(final.histories.members, seen.follower.histories),
        replayed=replay(ran.stream, final.source, ran.directory),
        ends=final.ends,
    )
    return Outcome(
        options=ran.options,
        seconds=ran.seconds,
        journal=ran.stage.journal,
        verdict=verdict(settings, final.source, final.results, final.dead_letters, evidence),
        faults=[*fleet.faults, *ran.stuck],
        unknown=seen.load.unknown,
        in_time=ran.in_time,
        written=seen.follower.written,
        left=final.histories.records,
        aborted=final.aborted,
        doubts={event: fleet.said(event) for event in DOUBTS},
    )
