"""The journal counts a recovery from its moment on, and knows which had the cluster to itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.faults import Kind
from tests.chaos.journal import Journal, Recovery

ENDS = {0: 10, 1: 20}
BEHIND, PAST = {0: 11, 1: 20}, {0: 11, 1: 21}
KILLED, CUT, DOWN = Kind.WORKER_KILLED, Kind.CONNECTIONS_CUT, Kind.BROKER_KILLED


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "timeline.log", lambda _: None, lambda: ENDS)


def told(journal: Journal) -> list[tuple[Kind, bool]]:
    assert all(one.seconds >= 0 for one in journal.recoveries)
    return [(one.kind, one.is_alone) for one in journal.recoveries]


def test_a_fault_is_recovered_from_when_every_partition_is_past_its_end_and_not_before(
    journal: Journal,
) -> None:
    journal.injected(KILLED, "worker-1")
    journal.look(PAST)
    assert told(journal) == [], "its moment has not come"
    journal.recovering(KILLED)
    journal.over(KILLED)
    journal.look(BEHIND)
    journal.look({0: 11})
    assert told(journal) == []
    journal.look(PAST)
    journal.look(PAST)
    assert told(journal) == [(KILLED, True)]


def test_what_is_drained_is_recovered_from(journal: Journal) -> None:
    journal.injected(KILLED, "worker-1")
    journal.recovering(KILLED)
    journal.over(KILLED)
    journal.drained()
    assert told(journal) == [(KILLED, True)]


def test_faults_that_follow_each_other_are_alone(journal: Journal) -> None:
    for kind in (KILLED, CUT):
        journal.injected(kind, "")
        journal.recovering(kind)
        journal.over(kind)
        journal.look(PAST)
    assert told(journal) == [(KILLED, True), (CUT, True)]


def test_faults_of_which_one_is_not_recovered_from_when_the_other_begins_are_not_alone(
    journal: Journal,
) -> None:
    for kind in (KILLED, CUT):
        journal.injected(kind, "")
        journal.recovering(kind)
        journal.over(kind)
    journal.look(PAST)
    assert told(journal) == [(KILLED, False), (CUT, False)]


def test_a_fault_during_one_that_is_kept_up_is_not_alone_though_that_is_recovered_from(
    journal: Journal,
) -> None:
    journal.injected(DOWN, "node 1")
    journal.recovering(DOWN)
    journal.look(PAST)
    journal.injected(KILLED, "worker-1")
    journal.recovering(KILLED)
    journal.over(KILLED)
    journal.look(PAST)
    journal.over(DOWN)
    assert told(journal) == [(DOWN, True), (KILLED, False)]


def test_each_recovery_is_written_down_and_only_faults_are_told(tmp_path: Path) -> None:
    lines: list[str] = []
    journal = Journal(tmp_path / "timeline.log", lines.append, lambda: ENDS)
    journal.injected(KILLED, "worker-1")
    journal.recovering(KILLED)
    journal.over(KILLED)
    journal.look(PAST)
    assert [line.partition("s  ")[2] for line in lines] == ["worker killed: worker-1"]
    written = (tmp_path / "timeline.log").read_text().splitlines()
    seconds = journal.recoveries[0].seconds
    assert written[0] == lines[0]
    assert written[1].partition("s  ")[2] == f"recovered in {seconds:.2f} s, alone: worker killed"
    assert journal.recoveries == [Recovery(KILLED, seconds, is_alone=True)]
