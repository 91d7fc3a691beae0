"""HTML that cannot be broken into: every text is escaped unless it is markup already."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

VOID = frozenset({"input", "meta"})
"""Elements without an end tag."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


NOTHING = Markup("")


def tag(name: str, /, *children: str, **attributes: str | float | bool | None) -> Markup:
    """An element. Attributes are named as in HTML, ``class_`` and ``aria_label`` for want of hyphens.

    An attribute that is True stands without a value; one that is None or False is left out.
    """
    begin = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Markup(begin if name in VOID else f"{begin}{joined(children)}</{name}>")


def joined(children: Iterable[str]) -> Markup:
    """Markup and texts, one behind the other."""
    return Markup("".join(one if isinstance(one, Markup) else escape(visible(one)) for one in children))


def visible(text: str) -> str:
    """The text with its code in place of a character that cannot be seen, or that turns others around."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _attribute(key: str, value: str | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(visible(str(value)))}"'
