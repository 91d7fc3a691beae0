"""Rules are clean, tested, speak of metrics that exist, and say whom to wake and what to do."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.grafana.expressions import values_in
from tests.grafana.known import unknown_in
from tests.grafana.programs import program
from tests.grafana.questions import RULES, rule_files, rules
from tests.grafana.rulebooks import (
    RUNBOOK,
    alerts,
    case_files,
    commands,
    entries,
    expectations,
    expressions_tested,
    recorded,
)
from tests.grafana.scraping import SHIPPED
from worker.devkit.process import run
from worker.stream.metrics import Metrics

if TYPE_CHECKING:
    from pathlib import Path

PROMTOOL_S = 300.0
CLI_S = 60.0
DASHBOARDS = {"mms-overview", "mms-flow", "mms-adjudication", "mms-audit"}
ALERTS = alerts()
NAMES = sorted({rule["alert"] for rule in ALERTS})
TEXTS = {"summary", "description"}
COMMANDS = sorted({command for text in entries().values() for command in commands(text)})
LABELS_OF_ALERTS = {"severity", "scope", "slo", "window"}


def test_rules_are_clean() -> None:
    assert_passes("check", "rules", "--lint=all", "--lint-fatal", *map(str, rule_files()))


def test_the_shipped_configuration_is_clean_and_finds_the_rules(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(SHIPPED.read_text())
    (tmp_path / "rules").symlink_to(RULES)
    said = assert_passes("check", "config", "--lint=all", "--lint-fatal", str(tmp_path / "prometheus.yml"))
    assert f"{len(rule_files())} rule files found" in said


def test_the_shipped_configuration_scrapes_workers_and_what_replays_push() -> None:
    shipped = yaml.safe_load(SHIPPED.read_text())
    jobs = {job["job_name"]: job for job in shipped["scrape_configs"]}
    (discovery,) = jobs["mms-worker"]["dns_sd_configs"]
    assert (discovery["names"], discovery["type"], discovery["port"]) == (["worker"], "A", 9464)
    assert jobs["pushgateway"]["honor_labels"] is True
    assert shipped["global"]["scrape_interval"] == "15s"


@pytest.mark.parametrize("path", case_files(), ids=lambda path: path.stem)
def test_the_cases_of_promtool_pass(path: Path) -> None:
    assert_passes("test", "rules", str(path))


@pytest.mark.parametrize("name", NAMES)
def test_cases_say_when_an_alert_fires_and_when_it_does_not(name: str) -> None:
    told = [expectation for expectation in expectations() if expectation.alert == name]
    assert {expectation.fires for expectation in told} == {True, False}
    assert any(
        not one.fires for one in told if not any(other.fires for other in told if other.case == one.case)
    ), "no case in which it never fires"


def test_cases_speak_of_alerts_that_exist() -> None:
    assert {expectation.alert for expectation in expectations()} == set(NAMES)


@pytest.mark.parametrize("record", recorded())
def test_a_case_knows_what_a_rule_records(record: str) -> None:
    assert record in expressions_tested()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_whom_to_wake_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["labels"]) <= LABELS_OF_ALERTS
    said = rule["annotations"]
    assert set(said) == {"summary", "description", "dashboard", "runbook_url"}
    assert "\n" not in said["summary"].strip()
    assert len(said["summary"]) <= 160
    assert said["dashboard"] in DASHBOARDS
    assert said["runbook_url"] == f"grafana/{RUNBOOK.name}#{rule['alert'].lower()}"


def test_the_runbook_has_an_entry_for_each_alert_and_no_other() -> None:
    assert sorted(entries()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_says_what_it_means_where_to_look_what_to_do_and_when_it_is_over(name: str) -> None:
    text = entries()[name]
    parts = re.findall(r"(?m)^\*\*(.+?)\*\*", text)
    assert parts == ["Means.", "Felt.", "Look.", "Do.", "Over."]
    assert commands(text), "no command of the worker"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_runbook_exists_with_its_options(command: str) -> None:
    words = shlex.split(command)[1:]
    help_text = help_of(words[0])
    if words[1:2] and words[1] in re.findall(r"(?m)^│ (\w+)", help_text):
        help_text = help_of(*words[:2])
    assert not re.search(r"(?m)^Usage: .* COMMAND$", help_text), "no such command"
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    missing = {option for option in options if not re.search(rf"{option}(?![\w-])", help_text)}
    assert not missing, help_text


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_names_metrics_labels_and_values_that_exist(rule: dict[str, Any]) -> None:
    assert unknown_in(rule["expr"]) == []
    for (metric, label), asked in values_in(rule["expr"]).items():
        if there := bound_values(metric, label):
            assert asked <= there


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_what_an_alert_says_names_labels_that_its_expression_leaves(rule: dict[str, Any]) -> None:
    told = " ".join(rule["annotations"][text] for text in TEXTS)
    for label in re.findall(r"\$labels\.(\w+)", told):
        assert unknown_in(f"count by ({label}) ({rule['expr']})") == []


def assert_passes(*arguments: str) -> str:
    done = run([program("promtool"), *arguments], PROMTOOL_S)
    assert done.returncode == 0, done.stdout
    return done.stdout


def bound_values(metric: str, label: str) -> set[str]:
    """The values of a label that a worker shows from its start; none where it finds them as it works."""
    return {
        sample.labels[label]
        for family in Metrics("claims").registry.collect()
        for sample in family.samples
        if sample.name == metric and label in sample.labels
    }


def help_of(*words: str) -> str:
    said = run([sys.executable, "-m", "worker", *words, "--help"], CLI_S)
    assert said.returncode == 0, said.stdout
    return said.stdout
