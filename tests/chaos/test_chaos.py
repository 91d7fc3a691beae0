"""Whatever is done to workers, connections and brokers: nothing is lost, nothing comes twice."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.conftest import NewCluster
from tests.chaos.faults import plan
from tests.chaos.outcome import judge
from tests.chaos.run import Options, run

MINUTE = Options(seed=7, minutes=1)
LONG = [Options(seed, minutes=5) for seed in (1, 2, 3)]


@pytest.mark.parametrize(
    "options", [MINUTE, *(pytest.param(options, marks=pytest.mark.soak) for options in LONG)], ids=str
)
async def test_every_invariant_holds_whatever_fails(
    new_cluster: NewCluster, options: Options, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "aiokafka")  # that brokers are down is no news here
    timeline: list[str] = []
    outcome = judge(await run(options, tmp_path, timeline.append))
    assert outcome.violations == [], "\n".join(timeline)
    assert outcome.journal.faults == Counter(fault.kind for track in plan(*options) for fault in track)
