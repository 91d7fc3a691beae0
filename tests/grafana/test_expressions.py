"""What an expression names is found, and what it asks for in vain."""

from __future__ import annotations

import pytest

from tests.grafana.expressions import LostLabelError, labels_in, names_in, values_in


@pytest.mark.parametrize(
    "expression",
    [
        "histogram_quantile(0.9, sum by (outcome) (rate(a_bucket[5m])))",
        "sum by (a) (sum by (b) (m))",
        "sum by (a) (m * on (b) n)",
        "topk(3, sum by (a) (m)) * on (c) n",
    ],
)
def test_a_label_that_an_aggregation_has_taken_away_is_found(expression: str) -> None:
    with pytest.raises(LostLabelError):
        labels_in(expression)


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ('sum by (a) (rate(m{x="1", y=~"z"}[5m]))', {"m": {"a", "x", "y"}}),
        ("sum by (z) (m * on (y) group_left (z) n)", {"m": {"y"}, "n": {"y", "z"}}),
        ("m / ignoring (o) group_left () sum(n)", {"m": {"o"}, "n": set()}),
        ("histogram_quantile(0.9, sum by (le, o) (rate(a_bucket[5m])))", {"a_bucket": {"le", "o"}}),
        ('label_replace(m, "made", "$1", "source", "(.*)")', {"m": {"source"}}),
        ("m unless on (q) n", {"m": {"q"}, "n": {"q"}}),
        ('absent(up{job="j"} == 1)', {"up": {"job"}}),
        ("max_over_time((m > 3)[10m:1m] offset 1w)", {"m": set()}),
    ],
)
def test_labels_are_told_of_the_metric_that_must_have_them(
    expression: str, labels: dict[str, set[str]]
) -> None:
    assert labels_in(expression) == labels


def test_every_metric_is_named_once_wherever_it_stands() -> None:
    assert names_in("sum(a) / sum(a) or (max_over_time(b[5m]) > 1) unless on () c") == {"a", "b", "c"}


def test_values_are_those_that_equality_asks_for() -> None:
    asked = values_in('a{x="1", y!="2", z=~"3"} or a{x="4"}')
    assert asked == {("a", "x"): {"1", "4"}}


@pytest.mark.parametrize("ask", [names_in, labels_in, values_in])
def test_what_is_not_promql_is_refused(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(ValueError, match="parenthesis"):
        ask("sum(")
