"""What all panels have in common: words, unit, thresholds, queries, links to the runbook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from string import ascii_uppercase
from typing import ClassVar, Literal, TypeAlias

from grafana.source.queries import DATASOURCE, Json, Query

Steps: TypeAlias = Sequence[tuple[float | None, str]]
"""Colours from a value on; the first has None and is the colour below all others."""

PLAIN: Steps = ((None, "text"),)
"""No value is good or bad."""

RUNBOOKS = "${runbooks}"
"""Where the runbook is read: a constant of every dashboard, so that it can be moved in one place."""


@dataclass(frozen=True)
class About:
    """A panel's description, in the order in which a reader asks."""

    shows: str
    good: str
    otherwise: str

    def __str__(self) -> str:
        """The three as Markdown, which Grafana renders."""
        return f"{self.shows}\n\n**Good:** {self.good}\n\n**Otherwise:** {self.otherwise}"


@dataclass(frozen=True)
class Panel(ABC):
    """One panel, not yet placed; each kind says what it asks and how it looks."""

    kind: ClassVar[str]
    colours: ClassVar[Literal["thresholds", "palette-classic"]] = "palette-classic"
    """Where values have their colour from."""

    title: str
    about: About
    unit: str
    """One of Grafana's ids of units."""
    _: KW_ONLY
    steps: Steps = PLAIN
    overrides: Sequence[Json] = ()
    alerts: Sequence[str] = ()
    """Alerts that fire on what the panel shows; each is a link to its entry in the runbook."""
    width: int = 8
    height: int = 8

    @abstractmethod
    def asks(self) -> Sequence[Query]:
        """The queries, in the order of their letters."""

    @abstractmethod
    def options(self) -> Json:
        """The options of this kind of panel."""

    def field_options(self) -> Json:
        """Options of every field beside those that all panels have."""
        return {}

    def transformations(self) -> Sequence[Json]:
        """What is done with the answers before they are shown."""
        return ()

    def all_overrides(self) -> Sequence[Json]:
        """Options of single fields."""
        return self.overrides

    def json(self, number: int, x: int, y: int) -> Json:
        """The panel as Grafana stores it, at a place of the grid of 24 columns."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": str(self.about),
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "datasource": DATASOURCE,
            "targets": [query.json(ref) for query, ref in zip(self.asks(), ascii_uppercase, strict=False)],
            "fieldConfig": {
                "defaults": {
                    "unit": self.unit,
                    "color": {"mode": self.colours},
                    "thresholds": thresholds(self.steps),
                    **self.field_options(),
                },
                "overrides": list(self.all_overrides()),
            },
            "options": self.options(),
            "transformations": list(self.transformations()),
            "links": [_runbook(alert) for alert in self.alerts],
        }


def thresholds(steps: Steps) -> Json:
    """Thresholds in Grafana's model."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def series(name: str, properties: Json) -> Json:
    """An override of properties for the series or column of a name."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


def coloured(colours: dict[str, str]) -> list[Json]:
    """Overrides that give each named series its own colour, the same in every panel."""
    return [
        series(name, {"color": {"mode": "fixed", "fixedColor": colour}}) for name, colour in colours.items()
    ]


def named(names: dict[str, str]) -> list[Json]:
    """Overrides that show a code with its meaning."""
    return [series(code, {"displayName": f"{code}  {text}"}) for code, text in names.items()]


def texts(words: dict[str, str]) -> list[Json]:
    """Value mappings that show words for numbers."""
    return [
        {"type": "value", "options": {value: {"text": text, "index": index}}}
        for index, (value, text) in enumerate(words.items())
    ]


def from_value_on(value: float, text: str) -> list[Json]:
    """A value mapping that shows words for every number from one on."""
    return [{"type": "range", "options": {"from": value, "to": None, "result": {"text": text, "index": 0}}}]


def _runbook(alert: str) -> Json:
    return {"title": f"Runbook: {alert}", "url": f"{RUNBOOKS}#{alert.lower()}", "targetBlank": True}
