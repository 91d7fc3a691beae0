"""The table of rules is the engine's: every rule id that its source names, and which of them deny."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import worker.adjudication
from worker.policies.rules import RULES

ENGINE = Path(worker.adjudication.__file__).parent
RULE_ID = re.compile(r"(necessity|structure|bundling|ncci|documentation|history)\.[a-z]+(-[a-z]+)*")
ALL = {rule: denies for rules in RULES.values() for rule, denies in rules.items()}


def engine_strings() -> Iterator[tuple[str, str]]:
    """Every string constant of the engine that is a rule id, with the method it is an argument of, if any."""
    for file in sorted(ENGINE.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                for argument in node.args:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        yield argument.value, node.func.attr
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value, ""


def test_every_rule_that_the_engine_names_is_in_the_table() -> None:
    named = {text for text, _ in engine_strings() if RULE_ID.fullmatch(text)}
    assert named
    assert named <= set(ALL)


def test_every_rule_that_the_engine_denies_or_limits_by_has_reason_codes() -> None:
    denying = {text for text, method in engine_strings() if method in {"denied", "limited"}}
    assert denying
    assert {rule for rule in denying if not ALL[rule]} == set()


def test_no_rule_belongs_to_two_sections() -> None:
    assert len(ALL) == sum(len(rules) for rules in RULES.values())
