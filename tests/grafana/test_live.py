"""What dashboards and alerts ask is answered by a real Prometheus that looks on real workers in trouble."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.grafana.live import (
    Fleet,
    Load,
    demo_load,
    disturb,
    open_breaker,
    outcomes,
    pended_since,
    reasons,
    replay,
)
from tests.grafana.pages import metrics_page
from tests.grafana.past import Pages, remember
from tests.grafana.prometheus import Prometheus
from tests.grafana.questions import Question, names_of_rules, questions
from tests.grafana.scraping import config
from tests.stream.streamkit import Stream, Stuck, until
from worker.devkit.ports import LOOPBACK, free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.grafana.pushgateway import Pushgateway

WORKER, REPLAYS, ITSELF = "mms-worker", "pushgateway", "prometheus"
"""The jobs of the shipped configuration."""
FIRING = ("MmsDeadLetterLimitReached",)
QUIET = (
    "MmsWorkerAbsent",
    "MmsConsumerStalled",
    "MmsTransactionHangs",
    "MmsWorkerRestarts",
    "MmsLagGrowing",
    "MmsRebalanceStorm",
    "MmsDigestSkew",
    "MmsPolicyExpiring",
    "MmsReplayDiffers",
    "MmsReplayWithoutVerdict",
    "MmsReplayOverdue",
)
FIRST_SEED, SECOND_SEED, BAD_SEED = 61, 62, 63
CLAIMS = 600
NOT_TOLD = "error expanding template"
"""What Prometheus puts in place of an annotation that it cannot fill in."""
SETTLE_S = 30.0
"""Rules that read other rules' series need some rounds; what has no answer by then has none."""


@pytest.mark.usefixtures("monitoring")
async def test_every_panel_and_rule_finds_data_in_a_real_prometheus_and_the_data_are_true(
    stream: Stream, tmp_path: Path, pushgateway: Pushgateway
) -> None:
    fleet, load = Fleet(stream), Load(stream)
    await fleet.at_work()
    before = [(await metrics_page(port)).text for port in fleet.ports]
    await load.send(demo_load(CLAIMS, FIRST_SEED))
    await stream.drained(load.records)
    after = [(await metrics_page(port)).text for port in fleet.ports]

    (port,) = free_ports(1)
    targets = {WORKER: fleet.addresses, REPLAYS: [pushgateway.address], ITSELF: [f"{LOOPBACK}:{port}"]}
    configured = config(tmp_path, targets)
    past = [
        Pages(begun, done, {"job": WORKER, "instance": address})
        for begun, done, address in zip(before, after, fleet.addresses, strict=True)
    ]
    await remember(tmp_path, past, configured)
    async with Prometheus(tmp_path, configured, port) as prometheus:
        await assert_true(prometheus, stream, load)
        await replay(stream, tmp_path / "replay", pushgateway.url)
        await assert_replay_seen(prometheus, stream, load)
        await disturb(stream, fleet, load, demo_load(CLAIMS, SECOND_SEED))
        await open_breaker(stream, fleet, load, BAD_SEED)
        await assert_trouble_seen(prometheus, stream, load, fleet)
        await assert_all_answered(prometheus)


async def assert_true(prometheus: Prometheus, stream: Stream, load: Load) -> None:
    """While nothing has failed yet, what Prometheus says is what was sent and what came out."""
    published, dead = await outcomes(stream), await reasons(stream)
    histories = sum(map(len, (await stream.restored()).values()))
    partitions = stream.settings.partitions
    known = {
        "sum(mms_records_consumed_total)": load.records,
        "sum(mms_batch_records_sum)": load.records,
        "sum(mms_decision_duration_seconds_count)": load.records,
        "sum(mms_history_members)": histories,
        "max(mms_partitions)": partitions,
        "sum(mms_assigned_partitions)": partitions,
        "sum(mms_working_partitions)": partitions,
        "sum(mms_consumer_lag_records)": 0,
        "sum(mms_consumer_lag_seconds)": 0,
        "sum(mms_unstable_records)": 0,
        "sum(mms_stable_offset) >= bool sum(mms_records_consumed_total)": 1,
        "sum(mms_ready)": 2,
        "sum(mms_breaker_open)": 0,
        "mms:partitions_working:ratio": 1,
        "round(sum(mms:outcome:share1h), 0.001)": 1,
        "sum(up)": 4,
        **by("outcome", "mms_decisions_total", published),
        **by("outcome", "mms_end_to_end_latency_seconds_count", published),
        **by("reason", "mms_dead_letters_total", dead),
    }
    await assert_known(prometheus, known)
    waited = await prometheus.value("max(mms_oldest_pend_seconds)")
    assert (datetime.now(UTC) - timedelta(seconds=waited)).date() == min(await pended_since(stream, load))


async def assert_replay_seen(prometheus: Prometheus, stream: Stream, load: Load) -> None:
    """What a replay has pushed is there, and says what it did."""
    replayed = (await outcomes(stream)).total()
    known = {
        "mms_replay_exit_code": 0,
        "mms_replay_events": load.records,
        'mms_replay_results{verdict="reproduced"}': replayed,
        "sum(mms_replay_results)": replayed,
    }
    await assert_known(prometheus, known)


async def assert_trouble_seen(prometheus: Prometheus, stream: Stream, load: Load, fleet: Fleet) -> None:
    """What was done to the workers can be seen, alerts fire for it, and traces lead from it to records."""
    well, stopped = (f'{{instance="{address}"}}' for address in fleet.addresses)
    known = {
        f"mms_breaker_open{stopped}": 1,
        f"mms_ready{stopped}": 0,
        f"mms_breaker_open{well}": 0,
        f"mms_working_partitions{well}": stream.settings.partitions,
        f'mms_lane_restarts_total{{reason="fenced",{well[1:]} > bool 0': 1,
        f'mms_transactions_total{{result="failed",{well[1:]} > bool 0': 1,
        f"resets(mms_records_consumed_total{well}[10m])": 0,
        f"resets(mms_records_consumed_total{stopped}[10m])": 1,
        "sum(up)": 4,
        "sum(prometheus_rule_evaluation_failures_total)": 0,
        **{f'ALERTS{{alertname="{name}",alertstate="firing"}}': 1 for name in FIRING},
        **{f'count(ALERTS{{alertname="{name}"}}) or vector(0)': 0 for name in QUIET},
    }
    await assert_known(prometheus, known)
    exemplars = await prometheus.exemplars("mms_end_to_end_latency_seconds_bucket")
    assert exemplars
    assert {exemplar["labels"]["trace_id"] for exemplar in exemplars} <= load.traces


def by(label: str, metric: str, counts: Mapping[str, int]) -> dict[str, float]:
    """What a metric's sums by a label are, and that there is no other."""
    each = {f'sum({metric}{{{label}="{value}"}})': float(count) for value, count in counts.items()}
    return {**each, f"sum({metric})": float(sum(counts.values()))}


async def assert_known(prometheus: Prometheus, known: Mapping[str, float]) -> None:
    """The expressions have these values, at the latest when what was committed last has been scraped."""
    seen: dict[str, float] = {}

    async def is_so() -> bool:
        seen.update({expression: await prometheus.value(expression) for expression in known})
        return seen == known

    with suppress(Stuck):
        await until(is_so, "the values", SETTLE_S)
    assert seen == known


async def assert_all_answered(prometheus: Prometheus) -> None:
    """Every question of panels and rules has an answer, and no rule has failed."""
    asked, left = questions(), list[Question]()

    async def all_have_answers() -> bool:
        left[:] = [question for question in asked if not await is_answered(prometheus, question)]
        return not left

    with suppress(Stuck):
        await until(all_have_answers, "answers", SETTLE_S)
    table = "\n".join(f"  {asker:60} {expression}" for asker, expression in left)
    assert not left, f"{len(left)} of {len(asked)} expressions found no data:\n{table}"
    rules = await prometheus.rules()
    assert sorted(rule["name"] for rule in rules) == sorted(names_of_rules())
    assert not [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"]
    told = [alert["annotations"] for rule in rules for alert in rule.get("alerts", ())]
    assert told
    assert not [words for words in told if NOT_TOLD in str(words)]


async def is_answered(prometheus: Prometheus, question: Question) -> bool:
    """Whether there is a value, and not only those that are none: a quantile of nothing, zero by zero."""
    return any(not math.isnan(sample.value) for sample in await prometheus.query(question.expression))
