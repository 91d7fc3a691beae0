"""The rules, their promtool cases and their runbook, as the files of the project say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from tests.grafana.questions import RULES, rules

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = RULES / "tests"
RUNBOOK = RULES.parent / "runbooks.md"


class Expectation(NamedTuple):
    """What a promtool case says of an alert at a time."""

    case: str
    alert: str
    fires: bool


def alerts() -> list[dict[str, Any]]:
    """Every alert rule."""
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> list[str]:
    """The name of every recording rule."""
    return sorted(rule["record"] for rule in rules() if "record" in rule)


def case_files() -> list[Path]:
    """The files with promtool cases."""
    return sorted(CASES.glob("*.yml"))


def expectations() -> Iterator[Expectation]:
    """What all cases say of all alerts."""
    for test in _tests():
        for asked in test.get("alert_rule_test", ()):
            yield Expectation(test["name"], asked["alertname"], bool(asked["exp_alerts"]))


def expressions_tested() -> set[str]:
    """Every expression whose value some case knows."""
    return {asked["expr"] for test in _tests() for asked in test.get("promql_expr_test", ())}


def entries() -> dict[str, str]:
    """The runbook's entries, each an alert's: its heading, and the text below it."""
    parts = re.split(r"(?m)^### (\w+)$", RUNBOOK.read_text())
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands(text: str) -> list[str]:
    """The worker's commands in a text's code blocks."""
    return re.findall(r"(?m)^\$ (mms-worker .*)$", text)


def _tests() -> Iterator[dict[str, Any]]:
    for path in case_files():
        yield from yaml.safe_load(path.read_text())["tests"]
