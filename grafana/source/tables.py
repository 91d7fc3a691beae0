"""Tables: queries side by side in one row for each thing, columns named, ordered and given their units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from string import ascii_uppercase

from grafana.source.panel import PLAIN, Panel, Steps, series, thresholds
from grafana.source.queries import Json, Query, cells


@dataclass(frozen=True)
class Column:
    """A column: a label of the queries, or the value of one of them, where ``expression`` is given."""

    name: str
    _: KW_ONLY
    label: str = ""
    expression: str = ""
    unit: str = ""
    steps: Steps = PLAIN
    mappings: Sequence[Json] = ()
    decimals: int | None = None
    width: int | None = None
    link: str = ""
    """Where a click on a cell leads; ``${__value.raw}`` is what the cell holds."""

    def properties(self) -> Json:
        """What is of this column alone."""
        found: Json = {}
        if self.unit:
            found["unit"] = self.unit
        if self.decimals is not None:
            found["decimals"] = self.decimals
        if self.mappings:
            found["mappings"] = list(self.mappings)
        if self.link:
            found["links"] = [{"title": "Runbook", "url": self.link, "targetBlank": True}]
        if self.width is not None:
            found["custom.width"] = self.width
        if self.steps is not PLAIN:
            found["custom.cellOptions"] = {"type": "color-text"}
            found["thresholds"] = thresholds(self.steps)
        return found


@dataclass(frozen=True)
class _Grid(Panel):
    """What both kinds of tables share."""

    kind = "table"
    colours = "thresholds"

    def field_options(self) -> Json:
        """Whole numbers, if a column does not say otherwise."""
        return {
            "decimals": 0,
            "custom": {
                "align": "auto",
                "cellOptions": {"type": "auto"},
                "filterable": False,
                "inspect": False,
            },
        }

    def options(self) -> Json:
        """Low rows: more of them fit."""
        return {"cellHeight": "sm", "showHeader": True, "sortBy": []}


@dataclass(frozen=True)
class Table(_Grid):
    """A row for each set of labels, in columns of the order given, sorted by the column ``sort``."""

    columns: Sequence[Column]
    _: KW_ONLY
    sort: str
    descending: bool = True

    def asks(self) -> Sequence[Query]:
        """A query for each column of values."""
        return [cells(column.expression) for column in self.columns if column.expression]

    def options(self) -> Json:
        """Sorted."""
        return {**super().options(), "sortBy": [{"displayName": self.sort, "desc": self.descending}]}

    def transformations(self) -> Sequence[Json]:
        """One row of what has the same labels; then names and order.

        Grafana calls a value by its query's letter where there are several queries.
        """
        count = len(self.asks())
        values = iter(["Value"] if count == 1 else [f"Value #{letter}" for letter in ascii_uppercase[:count]])
        sources = [next(values) if column.expression else column.label for column in self.columns]
        names = {source: column.name for source, column in zip(sources, self.columns, strict=True)}
        order = {source: index for index, source in enumerate(sources)}
        return [
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": names},
            },
        ]

    def all_overrides(self) -> Sequence[Json]:
        """Those of the columns."""
        own = [(column.name, column.properties()) for column in self.columns]
        return [series(name, properties) for name, properties in own if properties]


@dataclass(frozen=True)
class Matrix(_Grid):
    """A row for each value of one label, a column for each of another, and how much between."""

    expression: str
    _: KW_ONLY
    rows: str
    columns: str

    def asks(self) -> Sequence[Query]:
        """The one query that has both labels."""
        return [cells(self.expression)]

    def transformations(self) -> Sequence[Json]:
        """Turned, with zeros where there is no series."""
        fields = {"rowField": self.rows, "columnField": self.columns, "valueField": "Value"}
        return [{"id": "groupingToMatrix", "options": {**fields, "emptyValue": "zero"}}]
