"""A dashboard: rows of panels laid out in Grafana's grid, with the variables above them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grafana.source.panel import Panel
from grafana.source.queries import DATASOURCE, WORKERS, Json

SCHEMA = 39
"""Of Grafana 11; later ones bring it up to date when they load it."""
COLUMNS = 24
RUNBOOKS = "/public/runbooks.html"


@dataclass(frozen=True)
class Row:
    """A heading, and its panels in lines from left to right."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One dashboard. ``uid`` is in its address and in links to it: it never changes."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    since: str = "now-6h"
    refresh: str = "30s"
    variables: Sequence[Json] = ()
    """Beside data source, job and instance."""

    def text(self) -> str:
        """The file that Grafana loads."""
        return json.dumps(self.json(), indent=2, ensure_ascii=False) + "\n"

    def json(self) -> Json:
        """The dashboard in Grafana's model."""
        return {
            "id": None,
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["mms"],
            "schemaVersion": SCHEMA,
            "editable": False,
            "graphTooltip": 1,
            "refresh": self.refresh,
            "time": {"from": self.since, "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "weekStart": "",
            "fiscalYearStartMonth": 0,
            "liveNow": False,
            "preload": False,
            "links": [_SIBLINGS],
            "annotations": {"list": [_NEW_BUILDS]},
            "templating": {"list": [_DATASOURCE_VARIABLE, *_WORKER_VARIABLES, *self.variables, _RUNBOOKS]},
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[Json]:
        number, y = 1, 0
        for row in self.rows:
            yield {
                "id": number,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
                "panels": [],
            }
            number, y = number + 1, y + 1
            for line in _lines(row.panels):
                x = 0
                for panel in line:
                    yield panel.json(number, x, y)
                    number, x = number + 1, x + panel.width
                y += max(panel.height for panel in line)


def query_variable(name: str, label: str, query: str) -> Json:
    """A variable of which several values, or all, can be chosen; Prometheus knows which there are."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": query,
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "regex": "",
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "options": [],
        "hide": 0,
        "skipUrlSync": False,
    }


def _lines(panels: Sequence[Panel]) -> Iterator[list[Panel]]:
    line: list[Panel] = []
    for panel in panels:
        if line and sum(one.width for one in line) + panel.width > COLUMNS:
            yield line
            line = []
        line.append(panel)
    if line:
        yield line


_DATASOURCE_VARIABLE: Json = {
    "type": "datasource",
    "name": "datasource",
    "label": "Data source",
    "query": "prometheus",
    "current": {},
    "options": [],
    "regex": "",
    "refresh": 1,
    "multi": False,
    "includeAll": False,
    "hide": 0,
    "skipUrlSync": False,
}
_WORKER_VARIABLES = (
    query_variable("job", "Job", "label_values(mms_build_info, job)"),
    query_variable("instance", "Instance", 'label_values(mms_build_info{job=~"$job"}, instance)'),
)
_RUNBOOKS: Json = {
    "type": "constant",
    "name": "runbooks",
    "label": "Runbooks",
    "query": RUNBOOKS,
    "current": {"selected": True, "text": RUNBOOKS, "value": RUNBOOKS},
    "hide": 2,
    "skipUrlSync": True,
}
_SIBLINGS: Json = {
    "type": "dashboards",
    "title": "MMS",
    "tags": ["mms"],
    "asDropdown": False,
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
    "icon": "external link",
    "tooltip": "",
    "url": "",
}
_DIGESTS = "version, policy_digest, codes_digest"
_NEW_BUILDS: Json = {
    "name": "New build, policies or codes",
    "datasource": DATASOURCE,
    "enable": True,
    "hide": False,
    "iconColor": "blue",
    "expr": (
        f"count by ({_DIGESTS}) (mms_build_info{{{WORKERS}}})"
        f" unless count by ({_DIGESTS}) (mms_build_info{{{WORKERS}}} offset 2m)"
    ),
    "step": "60s",
    "titleFormat": "Decides since now: {{version}}",
    "textFormat": "policies {{policy_digest}}, codes {{codes_digest}}",
    "tagKeys": "",
    "useValueForTime": False,
}
