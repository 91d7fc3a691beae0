"""Everything that dashboards and rules ask of Prometheus, each as a question that must have an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser as promql
import yaml

from tests.grafana.expressions import names_in
from tests.grafana.panels import expressions

RULES = Path(__file__).parents[2] / "grafana" / "rules"

SETS = {"and", "or", "unless"}
COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
ABSENCES = {"absent", "absent_over_time"}


class Question(NamedTuple):
    """An expression, and whose it is."""

    asker: str
    expression: str


def rule_files() -> list[Path]:
    """The project's rules, without their tests."""
    return [
        path for path in sorted(RULES.glob("*.y*ml")) if "groups" in (yaml.safe_load(path.read_text()) or {})
    ]


def rules() -> list[dict[str, Any]]:
    """Every rule of every group."""
    groups = [group for path in rule_files() for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def names_of_rules() -> list[str]:
    """What the rules record, and what the alerts are called."""
    return [rule.get("record") or rule["alert"] for rule in rules()]


def questions() -> list[Question]:
    """What all panels show, all recording rules record, and all alerts watch."""
    asked = [
        Question(f"{panel.dashboard}: {panel.panel}", expression)
        for panel in expressions()
        for expression in (panel.expression, *alternatives(promql.parse(panel.expression)))
    ]
    for rule in rules():
        asker = f"records {rule['record']}" if "record" in rule else f"alert {rule['alert']}"
        asked += [Question(asker, expression) for expression in _asked_by(rule)]
    return list(dict.fromkeys(asked))


def alternatives(node: promql.Expr) -> Iterator[str]:
    """The operands of every ``or``: a fallback to zero must not hide that the other side finds nothing."""
    found: list[promql.Expr] = []
    promql.walk(node, found.append)
    for inner in found:
        if isinstance(inner, promql.BinaryExpr) and str(inner.op) == "or":
            yield from (side.prettify() for side in (inner.lhs, inner.rhs) if reads_series(side))


def watched(node: promql.Expr) -> Iterator[str]:
    """What an alert looks at: its operands, without the comparisons that hold back what is all right."""
    match node:
        case promql.ParenExpr():
            yield from watched(node.expr)
        case promql.BinaryExpr() if str(node.op) in SETS | COMPARISONS:
            yield from watched(node.lhs)
            yield from watched(node.rhs)
        case promql.Call() if node.func.name in ABSENCES:
            yield from watched(node.args[0])
        case _:
            if reads_series(node):  # and is no limit
                yield node.prettify()


def reads_series(node: promql.Expr) -> bool:
    """Whether an expression depends on anything that is stored."""
    return bool(names_in(node.prettify()))


def _asked_by(rule: Mapping[str, Any]) -> Iterator[str]:
    parsed = promql.parse(rule["expr"])
    if "record" in rule:
        yield rule["expr"]
        yield from alternatives(parsed)
    else:
        yield from watched(parsed)
