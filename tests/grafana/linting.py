"""The rules of Grafana's dashboard-linter, by its names, for dashboards of Prometheus.

Stricter than it where it looks at some kinds of panels only: here a rule holds for all of them. Each rule is
given a dashboard and tells what breaks it, in no words if nothing does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import promql_parser as promql

from tests.grafana.panels import panels

Dashboard: TypeAlias = Mapping[str, Any]
Rule: TypeAlias = Callable[[Dashboard], Iterator[str]]

RATE_INTERVAL = "77777ms"
"""Stands for ``$__rate_interval``: a duration that nobody writes."""
DURATIONS = {"__rate_interval": RATE_INTERVAL, "__interval": "55555ms", "__range": "66666ms"}
RATES = {"rate", "irate"}
COUNTED_BY = {*RATES, "increase"}

UNITS = {
    *("none", "string", "short", "percent", "percentunit", "locale", "sci", "bool", "bool_yes_no"),
    *("bits", "bytes", "kbytes", "mbytes", "gbytes", "decbits", "decbytes", "bps", "Bps", "binbps", "binBps"),
    *("dateTimeAsIso", "dateTimeAsIsoNoDateIfToday", "dateTimeAsLocal", "dateTimeAsSystem"),
    *("dateTimeFromNow", "dtdurationms", "dtdurations", "dthms", "dtdhms", "clocks"),
    *("hertz", "ns", "µs", "ms", "s", "m", "h", "d"),
    *("cps", "ops", "reqps", "rps", "wps", "iops", "cpm", "opm", "rpm", "wpm", "mps", "mpm"),
}
"""Grafana's ids of units, of those groups that a stream worker may have a use for."""


class Exclusion(NamedTuple):
    """Metrics that a rule is not asked of, and why."""

    metrics: str
    """A regular expression for the whole name."""
    reason: str


_OF_ALL = Exclusion(
    r"mms:.+|ALERTS",
    "Recorded, or evaluated, over all workers: there is no job and no instance left to choose by.",
)
_OF_REPLAYS = Exclusion(
    r"mms_replay_.+",
    "A replay is a job that has ended, pushed under a name of its own: chosen by topic, not by worker.",
)
EXCLUSIONS: Mapping[str, tuple[Exclusion, ...]] = {
    "target-job-rule": (_OF_ALL, _OF_REPLAYS),
    "target-instance-rule": (_OF_ALL, _OF_REPLAYS),
}


def template_datasource(dashboard: Dashboard) -> Iterator[str]:
    """One variable for the data source, named and labelled as everywhere."""
    found = [variable for variable in _variables(dashboard) if variable["type"] == "datasource"]
    if len(found) != 1:
        yield f"{len(found)} variables for the data source"
    for variable in found:
        if (variable["name"], variable["label"], variable["query"]) != (
            "datasource",
            "Data source",
            "prometheus",
        ):
            yield f"data source variable is {variable['name']!r}, labelled {variable['label']!r}"


def template_job(dashboard: Dashboard) -> Iterator[str]:
    """A variable for the job."""
    yield from _template(dashboard, "job")


def template_instance(dashboard: Dashboard) -> Iterator[str]:
    """A variable for the instance."""
    yield from _template(dashboard, "instance")


def _template(dashboard: Dashboard, name: str) -> Iterator[str]:
    found = next((variable for variable in _variables(dashboard) if variable["name"] == name), None)
    if found is None:
        yield f"no variable {name}"
        return
    wanted = {"type": "query", "label": name.title(), "multi": True, "allValue": ".+"}
    for key, value in wanted.items():
        if found.get(key) != value:
            yield f"variable {name}: {key} is {found.get(key)!r}, not {value!r}"
    if not _is_templated(found["datasource"]):
        yield f"variable {name}: its data source is not the chosen one"


def template_label_promql(dashboard: Dashboard) -> Iterator[str]:
    """What a variable asks is a function of Grafana's around PromQL."""
    for variable in _queried(dashboard):
        asked = re.fullmatch(
            r"(label_values|label_names|metrics|query_result)\((.+?)(, *\w+)?\)", variable["query"]
        )
        if asked is None or _parsed(asked[2]) is None:
            yield f"variable {variable['name']}: {variable['query']!r}"


def template_on_time_change_reload(dashboard: Dashboard) -> Iterator[str]:
    """Variables are asked for again when the time range changes."""
    for variable in _queried(dashboard):
        if variable["refresh"] != 2:
            yield f"variable {variable['name']}: refresh is {variable['refresh']}"


def panel_datasource(dashboard: Dashboard) -> Iterator[str]:
    """Every panel asks the data source that is chosen above."""
    for panel in panels(dashboard):
        if not all(_is_templated(asking["datasource"]) for asking in (panel, *panel["targets"])):
            yield f"{panel['title']}: another data source"


def panel_title_description(dashboard: Dashboard) -> Iterator[str]:
    """Every panel has a title and a description."""
    for panel in panels(dashboard):
        if not panel.get("title") or not panel.get("description"):
            yield f"panel {panel['id']}: title or description missing"


def panel_units(dashboard: Dashboard) -> Iterator[str]:
    """Every panel has a unit that Grafana knows, as has every field with one of its own."""
    for panel in panels(dashboard):
        fields = panel["fieldConfig"]
        units = [fields["defaults"].get("unit", "")]
        for override in fields["overrides"]:
            units += [given["value"] for given in override["properties"] if given["id"] == "unit"]
        for unit in units:
            if unit not in UNITS:
                yield f"{panel['title']}: unit {unit!r}"


def panel_no_targets(dashboard: Dashboard) -> Iterator[str]:
    """Every panel asks something."""
    for panel in panels(dashboard):
        if not panel.get("targets"):
            yield f"{panel['title']}: asks nothing"


def target_promql(dashboard: Dashboard) -> Iterator[str]:
    """What is asked is PromQL."""
    for title, expression in _asked(dashboard):
        if _parsed(expression) is None:
            yield f"{title}: {expression}"


def target_logql(dashboard: Dashboard) -> Iterator[str]:
    """There is no LogQL. Logs are not in the dashboards, so there is nothing here that could parse it."""
    for panel in panels(dashboard):
        if any(target["datasource"]["type"] == "loki" for target in panel["targets"]):
            yield f"{panel['title']}: asks Loki"


def target_rate_interval(dashboard: Dashboard) -> Iterator[str]:
    """A rate is over ``$__rate_interval``, whatever is scraped how often."""
    for title, node, parents in _nodes(dashboard):
        is_rate = bool(parents) and isinstance(parents[-1], promql.Call) and parents[-1].func.name in RATES
        if isinstance(node, promql.MatrixSelector) and is_rate and node.range != _RATE_INTERVAL:
            yield f"{title}: rate over {node.range}"


def target_job(dashboard: Dashboard) -> Iterator[str]:
    """Every selector keeps to the job that is chosen above."""
    yield from _without_matcher(dashboard, "job")


def target_instance(dashboard: Dashboard) -> Iterator[str]:
    """Every selector keeps to the instances that are chosen above."""
    yield from _without_matcher(dashboard, "instance")


def target_counter_agg(dashboard: Dashboard) -> Iterator[str]:
    """A counter is read by ``rate``, ``irate`` or ``increase``."""
    for title, node, parents in _nodes(dashboard):
        if isinstance(node, promql.VectorSelector) and (node.name or "").endswith("_total"):
            call = (
                parents[-2] if len(parents) > 1 and isinstance(parents[-1], promql.MatrixSelector) else None
            )
            if not isinstance(call, promql.Call) or call.func.name not in COUNTED_BY:
                yield f"{title}: {node.name} is a counter"


def uneditable(dashboard: Dashboard) -> Iterator[str]:
    """Nobody edits in Grafana what is written here."""
    if dashboard["editable"]:
        yield "is editable"


RULES: Mapping[str, Rule] = {
    "template-datasource-rule": template_datasource,
    "template-job-rule": template_job,
    "template-instance-rule": template_instance,
    "template-label-promql-rule": template_label_promql,
    "template-on-time-change-reload-rule": template_on_time_change_reload,
    "panel-datasource-rule": panel_datasource,
    "panel-title-description-rule": panel_title_description,
    "panel-units-rule": panel_units,
    "panel-no-targets-rule": panel_no_targets,
    "target-promql-rule": target_promql,
    "target-logql-rule": target_logql,
    "target-logql-auto-rule": target_logql,
    "target-rate-interval-rule": target_rate_interval,
    "target-job-rule": target_job,
    "target-instance-rule": target_instance,
    "target-counter-agg-rule": target_counter_agg,
    "uneditable-dashboard": uneditable,
}

_VARIABLE_QUERY = re.compile(r"(label_values|label_names|metrics|query_result)\((.+?)(, *\w+)?\)")
_RATE_INTERVAL = promql.parse_duration(RATE_INTERVAL)


def _without_matcher(dashboard: Dashboard, label: str) -> Iterator[str]:
    excluded = [re.compile(exclusion.metrics) for exclusion in EXCLUSIONS[f"target-{label}-rule"]]
    for title, node, _ in _nodes(dashboard):
        if not isinstance(node, promql.VectorSelector) or any(
            one.fullmatch(node.name or "") for one in excluded
        ):
            continue
        matchers = [(one.name, one.op, one.value) for one in node.matchers.matchers]
        if (label, promql.MatchOp.Re, f"${label}") not in matchers:
            yield f'{title}: {node.name} without {label}=~"${label}"'


def _variables(dashboard: Dashboard) -> list[dict[str, Any]]:
    return list(dashboard["templating"]["list"])


def _queried(dashboard: Dashboard) -> list[dict[str, Any]]:
    return [variable for variable in _variables(dashboard) if variable["type"] == "query"]


def _is_templated(datasource: Mapping[str, str]) -> bool:
    return datasource["uid"] in {"$datasource", "${datasource}"}


def _asked(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def _nodes(dashboard: Dashboard) -> Iterator[tuple[str, Any, list[Any]]]:
    """Each node of each expression that parses: its panel's title, itself, the nodes around it."""
    for title, expression in _asked(dashboard):
        if (parsed := _parsed(expression)) is not None:
            yield from ((title, node, parents) for node, parents in _walked(parsed, []))


def _walked(node: Any, parents: list[Any]) -> Iterator[tuple[Any, list[Any]]]:
    yield node, parents
    for inner in _inside(node):
        yield from _walked(inner, [*parents, node])


def _inside(node: Any) -> list[Any]:
    match node:
        case promql.AggregateExpr():
            return [node.expr] if node.param is None else [node.param, node.expr]
        case promql.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql.Call():
            return list(node.args)
        case promql.MatrixSelector():
            return [node.vector_selector]
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return [node.expr]
        case _:
            return []


def _parsed(expression: str) -> Any:
    """The expression's tree, None if it has none. Variables in quotes stay: rules look for them."""
    pieces = expression.split('"')
    for index in range(0, len(pieces), 2):
        pieces[index] = re.sub(r"\$(\w+)", lambda found: DURATIONS.get(found[1], found[0]), pieces[index])
    try:
        return promql.parse('"'.join(pieces))
    except ValueError:
        return None
