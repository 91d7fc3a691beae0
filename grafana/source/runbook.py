"""The runbook as one page of HTML, so that a link to an alert's entry leads there."""

from __future__ import annotations

import re
from pathlib import Path

from markdown_it import MarkdownIt

SOURCE = Path(__file__).parents[1] / "runbooks.md"

_STYLE = (
    "body{max-width:46rem;margin:2rem auto;padding:0 1rem;font:16px/1.5 system-ui,sans-serif;"
    "color:#222;background:#fff}"
    "pre{padding:.6rem;overflow-x:auto;background:#f3f3f3}code{font-size:.9em}"
    "h3{margin-top:2.5rem}:target{background:#fff3c4}"
)


def page() -> str:
    """The whole page; it fetches nothing.

    An entry is found by its name in lower case, as in ``runbook_url``, and as in the label ``alertname``.
    """
    body = MarkdownIt("commonmark").render(SOURCE.read_text(encoding="utf-8"))
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>MMS runbooks</title>\n'
        f"<style>{_STYLE}</style>\n{re.sub(r'<h([23])>(.+?)</h', _anchored, body)}</html>\n"
    )


def _anchored(heading: re.Match[str]) -> str:
    level, name = heading[1], heading[2].replace(" ", "-")
    second = f'<a id="{name}"></a>' if level == "3" else ""
    return f'<h{level} id="{name.lower()}">{second}{heading[2]}</h'
