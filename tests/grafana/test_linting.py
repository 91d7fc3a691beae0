"""Each of the linter's rules finds what it is there for."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from tests.grafana.linting import RULES
from tests.grafana.panels import dashboards, panels

if TYPE_CHECKING:
    from collections.abc import Callable

SOUND = dashboards()[0]
LOKI = {"type": "loki", "uid": "${datasource}"}


@pytest.fixture
def dashboard() -> dict[str, Any]:
    return deepcopy(SOUND)


def _variable(named: str, /, **changes: object) -> Callable[[dict[str, Any]], None]:
    def change(dashboard: dict[str, Any]) -> None:
        found = next(one for one in dashboard["templating"]["list"] if one["name"] == named)
        found.update(changes)

    return change


def _panel(**changes: object) -> Callable[[dict[str, Any]], None]:
    return lambda dashboard: next(panels(dashboard)).update(changes)


def _asking(expression: str) -> Callable[[dict[str, Any]], None]:
    return lambda dashboard: next(panels(dashboard))["targets"][0].update(expr=expression)


def _unit(unit: str) -> Callable[[dict[str, Any]], None]:
    return lambda dashboard: next(panels(dashboard))["fieldConfig"]["defaults"].update(unit=unit)


FAULTS: list[tuple[str, Callable[[dict[str, Any]], None]]] = [
    ("template-datasource-rule", _variable("datasource", name="prometheus")),
    ("template-datasource-rule", _variable("datasource", label="Source")),
    ("template-datasource-rule", _variable("datasource", type="custom")),
    ("template-job-rule", _variable("job", name="work")),
    ("template-job-rule", _variable("job", multi=False)),
    ("template-job-rule", _variable("job", datasource={"type": "prometheus", "uid": "prometheus"})),
    ("template-instance-rule", _variable("instance", allValue=".*")),
    ("template-instance-rule", _variable("instance", label="instance")),
    ("template-label-promql-rule", _variable("job", query="label_values(mms_build_info{, job)")),
    ("template-label-promql-rule", _variable("job", query="labels(mms_build_info, job)")),
    ("template-on-time-change-reload-rule", _variable("instance", refresh=1)),
    ("panel-datasource-rule", _panel(datasource={"type": "prometheus", "uid": "prometheus"})),
    ("panel-title-description-rule", _panel(title="")),
    ("panel-title-description-rule", _panel(description="")),
    ("panel-units-rule", _unit("")),
    ("panel-units-rule", _unit("claims")),
    ("panel-no-targets-rule", _panel(targets=[])),
    ("target-promql-rule", _asking("sum(rate(mms_events_total[$__rate_interval])")),
    ("target-logql-rule", _panel(targets=[{"datasource": LOKI, "expr": '{app="mms"}'}])),
    ("target-logql-auto-rule", _panel(targets=[{"datasource": LOKI, "expr": '{app="mms"}'}])),
    ("target-rate-interval-rule", _asking("sum(rate(mms_events_total[5m]))")),
    ("target-rate-interval-rule", _asking("sum(irate(mms_events_total[$__range]))")),
    ("target-job-rule", _asking('mms_ready{instance=~"$instance"}')),
    ("target-job-rule", _asking('mms_ready{job="$job", instance=~"$instance"}')),
    ("target-instance-rule", _asking('mms_ready{job=~"$job"}')),
    ("target-counter-agg-rule", _asking("mms_events_total")),
    ("target-counter-agg-rule", _asking("delta(mms_events_total[$__rate_interval])")),
    ("uneditable-dashboard", lambda dashboard: dashboard.update(editable=True)),
]


@pytest.mark.parametrize(("rule", "spoil"), FAULTS, ids=[rule for rule, _ in FAULTS])
def test_a_rule_finds_a_fault(
    dashboard: dict[str, Any], rule: str, spoil: Callable[[dict[str, Any]], None]
) -> None:
    assert list(RULES[rule](dashboard)) == []
    spoil(dashboard)
    assert list(RULES[rule](dashboard)) != []


def test_every_rule_is_tried() -> None:
    assert {rule for rule, _ in FAULTS} == set(RULES)


def test_an_increase_may_be_over_the_whole_time_range(dashboard: dict[str, Any]) -> None:
    _asking("sum(increase(mms_events_total[$__range]))")(dashboard)
    assert list(RULES["target-rate-interval-rule"](dashboard)) == []


@pytest.mark.parametrize("name", ["mms:lag_seconds:max", "ALERTS", "mms_replay_events"])
def test_what_is_of_no_single_worker_needs_no_worker_chosen(dashboard: dict[str, Any], name: str) -> None:
    _asking(name)(dashboard)
    assert list(RULES["target-job-rule"](dashboard)) == list(RULES["target-instance-rule"](dashboard)) == []
