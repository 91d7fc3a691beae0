"""What is asked of a Prometheus for panels and alerts, so that no part of them can be empty unnoticed."""

from __future__ import annotations

import promql_parser as promql
import pytest

from tests.grafana.questions import alternatives, watched


@pytest.mark.parametrize(
    ("alert", "looked_at"),
    [
        ("a > 1", ["a"]),
        ("0.5 < a", ["a"]),
        ("a > 0.8 * b", ["a", "0.8 * b"]),
        ("a > 14.4 * 0.001 and b > 14.4 * 0.001", ["a", "b"]),
        ("(a > 3 and b > 3) or (c > 1 unless on (instance) d == 1)", ["a", "b", "c", "d"]),
        ('absent(up{job="mms-worker"} == 1)', ['up{job="mms-worker"}']),
        ("time() - max(a) > 300", ["time() - max(a)"]),
        ("sum by (reason) (increase(a[1h])) > 0", ["sum by (reason) (increase(a[1h]))"]),
    ],
)
def test_an_alert_is_asked_for_what_it_looks_at_without_its_limits(alert: str, looked_at: list[str]) -> None:
    assert list(watched(promql.parse(alert))) == looked_at


@pytest.mark.parametrize(
    ("expression", "sides"),
    [
        ("a", []),
        ("a or vector(0)", ["a"]),
        ("sum(a or b)", ["a", "b"]),
        ("(a or vector(0)) / count(b)", ["a"]),
    ],
)
def test_a_fallback_does_not_hide_that_there_is_nothing(expression: str, sides: list[str]) -> None:
    assert list(alternatives(promql.parse(expression))) == sides
