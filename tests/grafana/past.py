"""A past for a Prometheus that starts only now: what a worker has just done, dated back, and what rules say.

Panels and alerts that compare with a week ago, or with five minutes ago, would find nothing for so long. So
what lies between two pages of a real worker becomes even work of more than an hour, a week ago, and once more
of the last minutes, up to the moment when scraping begins: its first values follow upon the last of these.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.grafana.programs import program
from tests.grafana.prometheus import DATA, Prometheus
from worker.devkit.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

WEEK = timedelta(weeks=1)
BEFORE = timedelta(hours=1, minutes=15)
"""How much there is before this moment of last week: more than the longest rate that is compared."""
AFTER = timedelta(minutes=15)
"""How much there is after it: longer than a test lasts."""
TODAY = timedelta(minutes=12)
"""How much there is of today: more than the longest look back that is not a week's."""
RULED = timedelta(minutes=10)
"""How much of a time rules have recorded, from this moment of it back."""
STEP = timedelta(seconds=15)
ROUNDS = 2
"""How deep rules read other rules' series."""
COMMAND_S = 60.0


class Period(NamedTuple):
    """A time of the past; rules have recorded from ``ruled`` on."""

    begin: datetime
    ruled: datetime
    end: datetime


class Pages(NamedTuple):
    """What a target served before its work and after it, as OpenMetrics; the labels that scraping adds."""

    before: str
    after: str
    labels: Mapping[str, str]


async def remember(directory: Path, targets: Sequence[Pages], config: Mapping[str, Any]) -> None:
    """Fill the empty data directory of a Prometheus that will be made on ``directory`` with ``config``.

    Rules that read other rules' series need these first: a round records what the one before made possible.
    """
    now = datetime.now(UTC)
    then = now - WEEK
    periods = [Period(then - BEFORE, then - RULED, then + AFTER), Period(now - TODAY, now - RULED, now)]
    data = directory / DATA
    data.mkdir(parents=True)
    for period in periods:
        page = directory / "past.txt"
        page.write_text(_dated(targets, period))
        await _promtool("tsdb", "create-blocks-from", "openmetrics", str(page), str(data))
    for _ in range(ROUNDS):
        async with Prometheus(directory, {**config, "scrape_configs": [], "rule_files": []}) as past:
            for _, ruled, end in periods:
                await _promtool(
                    "tsdb", "create-blocks-from", "rules", f"--url={past.url}", f"--output-dir={data}",
                    f"--start={_unix(ruled)}", f"--end={_unix(end)}", f"--eval-interval={STEP.seconds}s",
                    *config["rule_files"],
                )  # fmt: skip


async def _promtool(*arguments: str) -> None:
    done = await asyncio.to_thread(run, [program("promtool"), *arguments], COMMAND_S)
    assert done.returncode == 0, done.stdout


def _dated(targets: Sequence[Pages], period: Period) -> str:
    """The targets' series as OpenMetrics with times: evenly from the one page's values to the other's."""
    steps = (period.end - period.begin) // STEP
    lines: list[str] = []
    for target in targets:
        before = dict(_samples(target.before, target.labels))
        for key, value in _samples(target.after, target.labels):
            first = before.get(key, 0.0)
            for step in range(steps + 1):
                now = value if value == first else first + (value - first) * step / steps
                lines.append(f"{key} {now} {_unix(period.begin + STEP * step)}")
    return "\n".join([*lines, "# EOF\n"])


def _samples(page: str, labels: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            named = ",".join(f'{name}="{value}"' for name, value in {**sample.labels, **labels}.items())
            yield f"{sample.name}{{{named}}}", sample.value


def _unix(time: datetime) -> int:
    return int(time.timestamp())
