"""Tables with a caption and a header to every row and column, and what folds away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from worker.replay.output.report.markup import Markup, joined, tag


class Column(Struct, frozen=True):
    """A column and how its cells are set: ``n`` numbers, ``d`` digests, else text."""

    name: str
    style: str | None = None


def numbers(*names: str) -> tuple[Column, ...]:
    """Columns of numbers."""
    return tuple(Column(name, "n") for name in names)


def table(name: str, caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> Markup:
    """A table in a frame that scrolls by itself where it is too wide; ``name`` is unique on the page.

    The script lets the keyboard into frames that scroll. The first cell of a row is its header.
    """
    head = tag("tr", *(tag("th", one.name, scope="col", class_=one.style) for one in columns))
    body = (_row(columns, cells) for cells in rows)
    return tag(
        "div",
        tag(
            "table",
            tag("caption", tag("span", caption), id=f"{name}-caption"),
            tag("thead", head),
            tag("tbody", *body),
        ),
        class_="scroll",
        role="region",
        aria_labelledby=f"{name}-caption",
    )


def folded(summary: str, *inside: str) -> Markup:
    """What only some want to see: closed on the screen, open on paper."""
    return tag("details", tag("summary", summary), *inside, class_="fold")


def section(name: str, heading: str, *inside: str) -> Markup:
    """A part of the page with its heading."""
    return tag(
        "section",
        tag("h2", heading, id=f"{name}-heading"),
        *inside,
        id=name,
        aria_labelledby=f"{name}-heading",
    )


def _row(columns: Sequence[Column], cells: Sequence[str]) -> Markup:
    first, *others = cells
    return tag(
        "tr",
        tag("th", first, scope="row", class_=columns[0].style),
        joined(tag("td", cell, class_=one.style) for one, cell in zip(columns[1:], others, strict=True)),
    )
