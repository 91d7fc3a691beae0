"""The dashboards: written by their source, complete, readable, and asking for what there is."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from grafana.source import runbook
from grafana.source.__main__ import PAGE, written
from grafana.source.objectives import AVAILABILITY_BUDGET, LATENCY_BUDGET
from tests.grafana.expressions import names_in
from tests.grafana.known import of_replays, of_workers, read_by, unknown_in
from tests.grafana.linting import EXCLUSIONS, RULES
from tests.grafana.panels import DASHBOARDS, dashboards, expressions, panels, replaced
from tests.grafana.questions import rules

if TYPE_CHECKING:
    from collections.abc import Iterator

GRAFANA = DASHBOARDS.parent
UIDS = ["mms-adjudication", "mms-audit", "mms-flow", "mms-overview"]
COLUMNS = 24

ALL = dashboards()
EVERY_PANEL = [
    pytest.param(panel, id=f"{dashboard['uid']}: {panel['title']}")
    for dashboard in ALL
    for panel in panels(dashboard)
]
EVERY_DASHBOARD = [pytest.param(dashboard, id=dashboard["uid"]) for dashboard in ALL]


def test_the_files_are_what_the_source_writes() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in DASHBOARDS.glob("*.json")} == written()


def test_the_runbooks_page_is_what_the_source_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == runbook.page()


def test_links_within_the_runbook_lead_to_headings_that_it_has() -> None:
    page = runbook.page()
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links
    assert links <= set(re.findall(r'id="([^"]+)"', page))
    assert not re.findall(r'(?:href|src)="(?!#)', page), "it fetches or needs something else"


@pytest.mark.parametrize("alert", sorted({rule["alert"] for rule in rules() if "alert" in rule}))
def test_the_runbooks_page_has_an_anchor_for_links_and_one_for_cells(alert: str) -> None:
    page = runbook.page()
    assert page.count(f'id="{alert}"') == page.count(f'id="{alert.lower()}"') == 1


def test_a_firing_alert_leads_to_its_entry_by_its_name() -> None:
    (table,) = [
        panel for dashboard in ALL for panel in panels(dashboard) if panel["title"] == "Firing alerts"
    ]
    properties = {
        (override["matcher"]["options"], entry["id"]): entry["value"]
        for override in table["fieldConfig"]["overrides"]
        for entry in override["properties"]
    }
    assert [link["url"] for link in properties["Alert", "links"]] == ["${runbooks}#${__value.raw}"]


def test_each_dashboard_keeps_the_uid_that_links_know() -> None:
    assert [dashboard["uid"] for dashboard in ALL] == UIDS
    assert [dashboard["id"] for dashboard in ALL] == [None] * len(UIDS)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_a_dashboard_keeps_the_linters_rule(dashboard: dict[str, Any], rule: str) -> None:
    assert list(RULES[rule](dashboard)) == []


@pytest.mark.parametrize("rule", EXCLUSIONS)
def test_what_a_rule_is_not_asked_of_is_there_and_has_a_reason(rule: str) -> None:
    named = {name for asked in expressions() for name in names_in(asked.expression)}
    for excluded in EXCLUSIONS[rule]:
        assert excluded.reason
        assert any(re.fullmatch(excluded.metrics, name) for name in named)


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_ids_and_titles_of_panels_are_not_used_twice(dashboard: dict[str, Any]) -> None:
    ids = Counter([panel["id"] for panel in dashboard["panels"]])
    titles = Counter([panel["title"] for panel in panels(dashboard)])
    assert max(ids.values()) == max(titles.values()) == 1


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_panels_fill_the_grid_and_none_lies_on_another(dashboard: dict[str, Any]) -> None:
    covered = Counter([cell for panel in dashboard["panels"] for cell in _cells(panel["gridPos"])])
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    assert covered == Counter([(x, y) for x in range(COLUMNS) for y in range(height)])


@pytest.mark.parametrize("panel", EVERY_PANEL)
def test_a_description_says_what_is_shown_what_is_good_and_what_to_do(panel: dict[str, Any]) -> None:
    shows, good, otherwise = panel["description"].split("\n\n")
    assert shows.endswith(".")
    assert good.startswith("**Good:** ")
    assert otherwise.startswith("**Otherwise:** ")


@pytest.mark.parametrize("panel", EVERY_PANEL)
def test_a_panel_asks_for_metrics_and_labels_that_there_are(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert unknown_in(replaced(target["expr"], _DURATIONS)) == []


@pytest.mark.parametrize("panel", EVERY_PANEL)
def test_legends_and_columns_name_labels_that_the_answers_have(panel: dict[str, Any]) -> None:
    wanted = _columns(panel)
    for target in panel["targets"]:
        labels = wanted | set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        asked = replaced(target["expr"], _DURATIONS)
        for label in sorted(labels):
            assert unknown_in(f"sum by ({label}) ({asked})") == []


@pytest.mark.parametrize("panel", EVERY_PANEL)
def test_one_number_is_of_this_moment_and_a_graph_is_of_the_time_range(panel: dict[str, Any]) -> None:
    is_of_now = panel["type"] in {"stat", "bargauge", "table"}
    assert all(
        (target["instant"], target["range"]) == (is_of_now, not is_of_now) for target in panel["targets"]
    )


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_variables_and_annotations_ask_for_what_there_is(dashboard: dict[str, Any]) -> None:
    for annotation in dashboard["annotations"]["list"]:
        assert unknown_in(replaced(annotation["expr"], {})) == []
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            (asked, label) = re.findall(r"label_values\((.+), (\w+)\)", variable["query"])[0]
            assert unknown_in(f"count by ({label}) ({replaced(asked, {})})") == []


def test_every_metric_is_shown_somewhere() -> None:
    shown = {_family(name) for asked in expressions() for name in read_by(asked.expression)}
    told = {_family(name) for name in (*of_workers(), *of_replays()) if name.startswith("mms_")}
    assert told - shown == set()


def test_links_lead_to_the_entries_of_alerts_that_there_are() -> None:
    for link in [link for dashboard in ALL for panel in panels(dashboard) for link in panel["links"]]:
        alert = link["title"].removeprefix("Runbook: ")
        entry = _annotations()[alert]["runbook_url"].rpartition("#")[2]
        assert link["url"] == f"${{runbooks}}#{entry}"


def test_an_alert_is_linked_on_the_dashboard_that_it_says_to_open() -> None:
    assert {(alert, told["dashboard"]) for alert, told in _annotations().items()} - _linked() == set()


def test_the_budgets_are_those_that_alerts_reckon_with() -> None:
    budgets = {"availability": AVAILABILITY_BUDGET, "latency": LATENCY_BUDGET}
    for rule in rules():
        if (objective := rule.get("labels", {}).get("slo")) is not None:
            assert set(re.findall(r"\d \* ([\d.]+)\)", rule["expr"])) == {f"{budgets[objective]:g}"}


@pytest.mark.parametrize("dashboard", EVERY_DASHBOARD)
def test_a_dashboard_is_fresh_and_shares_its_crosshair(dashboard: dict[str, Any]) -> None:
    assert dashboard["graphTooltip"] == 1
    assert dashboard["refresh"] in {"30s", "1m", "5m"}
    assert dashboard["time"]["to"] == "now"
    assert dashboard["schemaVersion"] >= 39


def test_grafana_is_told_where_the_dashboards_are() -> None:
    (provider,) = _provisioned("dashboards/mms.yaml")["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    assert provider["allowUiUpdates"] is False


def test_grafana_is_told_where_prometheus_is() -> None:
    (source,) = _provisioned("datasources/prometheus.yaml")["datasources"]
    assert (source["uid"], source["type"], source["url"]) == (
        "prometheus",
        "prometheus",
        "http://prometheus:9090",
    )


_DURATIONS = {"__rate_interval": "1m", "__range": "1h", "__interval": "1m"}


def _provisioned(name: str) -> dict[str, Any]:
    text = Path(GRAFANA / "provisioning" / name).read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    assert loaded["apiVersion"] == 1
    return loaded


def _cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y


def _annotations() -> dict[str, dict[str, str]]:
    """What each alert says beside its expression."""
    return {rule["alert"]: rule["annotations"] for rule in rules() if "alert" in rule}


def _linked() -> set[tuple[str, str]]:
    return {
        (link["title"].removeprefix("Runbook: "), dashboard["uid"])
        for dashboard in ALL
        for panel in panels(dashboard)
        for link in panel["links"]
    }


def _family(name: str) -> str:
    return re.sub(r"_(bucket|sum|count)$", "", name)


def _columns(panel: dict[str, Any]) -> set[str]:
    """The labels that a table shows in columns of their own."""
    labels: set[str] = set()
    for transformation in panel["transformations"]:
        options = transformation["options"]
        labels |= {name for name in options.get("indexByName", {}) if not name.startswith("Value")}
        labels |= {options[field] for field in ("rowField", "columnField") if field in options}
    return labels
