"""What a PromQL expression names: metrics, their labels, and the values that it asks labels for.

A label is told of the metrics that must have it: a matcher's of its own metric; one of ``by``, ``without`` or
``on`` of all metrics below, unless ``group_left`` brings it from the other side or a function makes it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias

import promql_parser as promql

if TYPE_CHECKING:
    from collections.abc import Iterator

Labels: TypeAlias = frozenset[str]

_NONE: Labels = frozenset()
_MAKERS = {"label_replace", "label_join"}  # f(vector, made, ...)
_LABELLESS = {"vector", "time", "scalar", "absent", "absent_over_time"}


class LostLabelError(ValueError):
    """An aggregation asks for a label that one below it has already taken away."""


def names_in(expression: str) -> set[str]:
    """Every metric that an expression reads. Raises ``ValueError`` where it is not PromQL."""
    return {_name(selector) for selector in _selectors(promql.parse(expression))}


def labels_in(expression: str) -> dict[str, set[str]]:
    """The labels that an expression takes each metric to have, also a metric of which it asks none.

    Raises ``ValueError`` where it is not PromQL, ``LostLabelError`` where a label is gone before it is asked
    for: ``histogram_quantile`` over a sum without ``le``, say.
    """
    found: dict[str, set[str]] = {name: set() for name in names_in(expression)}
    for selector, labels in _asked(promql.parse(expression), _NONE):
        found[_name(selector)] |= labels
    return found


def values_in(expression: str) -> dict[tuple[str, str], set[str]]:
    """By metric and label the values that ``=`` matchers ask for. Raises ``ValueError`` if not PromQL."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for selector in _selectors(promql.parse(expression)):
        for matcher in selector.matchers.matchers:
            if matcher.op == promql.MatchOp.Equal and matcher.name != "__name__":
                found[_name(selector), matcher.name].add(matcher.value)
    return dict(found)


def _asked(node: Any, wanted: Labels) -> Iterator[tuple[promql.VectorSelector, Labels]]:
    """Each selector with the labels that it must have, when what is around ``node`` wants these of it."""
    match node:
        case promql.VectorSelector():
            own = {matcher.name for matcher in node.matchers.matchers} - {"__name__"}
            yield node, wanted | own
        case promql.MatrixSelector():
            yield from _asked(node.vector_selector, wanted)
        case promql.AggregateExpr():
            yield from _asked_of_aggregation(node, wanted)
        case promql.BinaryExpr():
            yield from _asked_of_operands(node, wanted)
        case promql.Call():
            yield from _asked_of_arguments(node, wanted)
        case promql.SubqueryExpr() | promql.ParenExpr() | promql.UnaryExpr():
            yield from _asked(node.expr, wanted)


def _asked_of_aggregation(
    node: promql.AggregateExpr, wanted: Labels
) -> Iterator[tuple[promql.VectorSelector, Labels]]:
    operation = str(node.op)
    if node.param is not None:
        if operation == "count_values":
            wanted -= {node.param.val}
        yield from _asked(node.param, _NONE)
    named = frozenset(node.modifier.labels) if node.modifier else _NONE
    without = node.modifier is not None and node.modifier.type == promql.AggModifierType.Without
    if operation not in {"topk", "bottomk"}:  # these keep all labels
        _refuse_lost(wanted & named if without else wanted - named, node)
    yield from _asked(node.expr, wanted | named)


def _asked_of_operands(
    node: promql.BinaryExpr, wanted: Labels
) -> Iterator[tuple[promql.VectorSelector, Labels]]:
    modifier = node.modifier
    matching = modifier.matching if modifier else None
    labels = frozenset(matching.labels) if matching else _NONE
    on = labels if matching and matching.type == promql.LabelModifierType.Include else _NONE
    brought = frozenset(modifier.group_labels or ()) if modifier else _NONE
    left = right = wanted | on
    match modifier.card if modifier else None:
        case promql.VectorMatchCardinality.ManyToOne:  # what is ignored, the side of the many has
            left, right = (wanted - brought) | labels, brought | on
        case promql.VectorMatchCardinality.OneToMany:
            left, right = brought | on, (wanted - brought) | labels
        case promql.VectorMatchCardinality.ManyToMany:
            right = right if str(node.op) == "or" else on
        case promql.VectorMatchCardinality.OneToOne if on:
            _refuse_lost(wanted - on, node)
    yield from _asked(node.lhs, left)
    yield from _asked(node.rhs, right)


def _asked_of_arguments(node: promql.Call, wanted: Labels) -> Iterator[tuple[promql.VectorSelector, Labels]]:
    function, arguments = node.func.name, list(node.args)
    if function in _LABELLESS:
        wanted = _NONE
    elif function == "histogram_quantile":
        wanted |= {"le"}
    elif function in _MAKERS:
        texts = [argument.val for argument in arguments[1:]]
        sources = {texts[2]} if function == "label_replace" else set(texts[2:])
        wanted = (wanted - {texts[0]}) | sources
    for argument in arguments:
        yield from _asked(argument, wanted)


def _refuse_lost(labels: Labels, node: promql.Expr) -> None:
    if labels:
        raise LostLabelError(f"{', '.join(sorted(labels))}: not there any more after {node.prettify()}")


def _selectors(node: promql.Expr) -> Iterator[promql.VectorSelector]:
    for inner in _nodes(node):
        if isinstance(inner, promql.VectorSelector):
            yield inner
        elif isinstance(inner, promql.MatrixSelector):
            yield inner.vector_selector


def _nodes(node: promql.Expr) -> list[promql.Expr]:
    found: list[promql.Expr] = []
    promql.walk(node, found.append)
    return found


def _name(selector: promql.VectorSelector) -> str:
    if selector.name is not None:
        return selector.name
    return next(matcher.value for matcher in selector.matchers.matchers if matcher.name == "__name__")
