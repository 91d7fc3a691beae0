"""``mms-worker settings``: what the environment tells the worker, and what it could tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import orjson
from cyclopts import App, Parameter
from rich.markup import escape
from rich.table import Table

from worker.commands.brokers import NOT_READ, exit_with, settings_or_exit, telling
from worker.commands.console import listing
from worker.commands.faults import naming

if TYPE_CHECKING:
    from worker.settings import Settings

app = App(name="settings")


@app.default
def show(
    *,
    markdown: Annotated[
        bool,
        Parameter(negative="", help="Print the reference of all settings, whatever the environment has."),
    ] = False,
    json: Annotated[bool, Parameter(negative="", help="Print JSON.")] = False,
) -> None:
    """Show the settings that the environment makes, and the default of each one that differs from it.

    No setting holds a secret: of passwords the files are shown that hold them. Exit code 2, with the
    variables at fault, when the environment does not make valid settings; a misspelt one is at fault too.
    """
    with telling() as out:
        if markdown and json:
            exit_with("give --markdown or --json, not both", NOT_READ)
        if markdown:
            from worker.commands.settings_reference import markdown as whole

            out.write(whole().encode())
            return
        settings = settings_or_exit(None)
        if json:
            out.write(orjson.dumps(_rows(settings), option=orjson.OPT_INDENT_2) + b"\n")
            return
        with naming(out.name):
            listing().print(_table(settings))


def _rows(settings: Settings) -> list[dict[str, Any]]:
    """A setting each: its variable, what it is, what it is by default, whether these differ, its meaning."""
    from worker.commands.settings_reference import reference

    values = settings.model_dump(mode="json")
    return [
        {
            "variable": one.variable,
            "value": values[field],
            "default": one.default,
            "differs": values[field] != one.default,
            "meaning": one.meaning,
        }
        for field, one in reference().items()
    ]


def _table(settings: Settings) -> Table:
    from worker.commands.settings_reference import in_words

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("variable", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("default", overflow="fold")
    for row in _rows(settings):
        cells = row["variable"], in_words(row["value"]), in_words(row["default"]) if row["differs"] else ""
        table.add_row(*map(escape, cells), style="bold" if row["differs"] else None)
    return table
