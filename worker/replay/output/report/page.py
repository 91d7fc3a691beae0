"""The page: its head, which lets nothing in from outside, and its parts in order."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files

from worker.replay.output.report.amounts import amounts
from worker.replay.output.report.answers import headline, is_empty
from worker.replay.output.report.causes import causes
from worker.replay.output.report.claims import claims
from worker.replay.output.report.flow import flow
from worker.replay.output.report.markup import Markup, tag
from worker.replay.output.report.outcomes import outcomes
from worker.replay.output.report.phrases import phrases
from worker.replay.output.report.scope import partitions, scope
from worker.replay.output.report.tables import section
from worker.replay.output.report.verdict import proven, verdict
from worker.replay.output.summary import Summary
from worker.replay.telling.differences import Example


def report(summary: Summary, examples: Sequence[Example]) -> str:
    """The whole page as HTML, to be written as UTF-8. The same input gives the same bytes.

    ``examples`` are the first results that differ, in the order to show. What tells of a patient is shown
    only if ``summary.with_phi``, whatever the examples hold. The page asks for nothing from outside.
    """
    style, script = _resource("style.css"), _resource("script.js")
    return (
        "<!doctype html>\n"
        + tag("html", _head(summary, style, script), _body(summary, examples, script), lang="en")
        + "\n"
    )


def _head(summary: Summary, style: Markup, script: Markup) -> Markup:
    policy = (
        f"default-src 'none'; style-src {_hashed(style)}; script-src {_hashed(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{phrases(summary).title}: {headline(summary)}"),
        tag("style", style),
    )


def _body(summary: Summary, examples: Sequence[Example], script: Markup) -> Markup:
    parts = _parts(summary, examples)
    links = (tag("li", tag("a", heading, href=f"#{name}")) for name, heading in _CONTENTS if name in parts)
    return tag(
        "body",
        tag("a", "Skip to the verdict", href="#verdict", class_="skip"),
        tag(
            "header",
            tag("p", "mms-worker"),
            tag("nav", tag("ul", *links, role="list"), aria_label="On this page"),
        ),
        tag("main", *parts.values()),
        tag("footer", tag("p", _closing(summary))),
        tag("script", script),
    )


_CONTENTS = (
    ("verdict", "Verdict"),
    ("scope", "What was read"),
    ("outcomes", "Outcomes"),
    ("flow", "Flow"),
    ("causes", "Causes"),
    ("amounts", "Amounts"),
    ("claims", "Claims"),
)


def _parts(summary: Summary, examples: Sequence[Example]) -> dict[str, Markup]:
    """Parts by name, in order; those that would show nothing are left out."""
    counts = summary.counts
    parts = {"verdict": verdict(summary)}
    if summary.verdict == "reproduced" and not is_empty(summary):
        parts["proven"] = section("proven", "What this means", proven(summary))
    parts["scope"] = scope(summary)
    if counts.outcomes_before or counts.outcomes_after:
        parts["outcomes"] = outcomes(summary)
    if counts.results_differing:
        parts |= {"flow": flow(summary), "causes": causes(summary), "amounts": amounts(summary)}
    if examples:
        parts["claims"] = claims(summary, examples)
    parts["partitions"] = tag("div", partitions(summary))
    return {name: part for name, part in parts.items() if part}


def _closing(summary: Summary) -> str:
    told = (
        "Made without a clock: the same evidence gives this page again, byte for byte. Its digest, and those "
        "of all that was read, are in manifest.json; mms-worker replay verify checks them."
    )
    return f"{told} This page shows patients' data: treat it so." if summary.with_phi else told


def _resource(name: str) -> Markup:
    return Markup(files(__package__).joinpath(name).read_text(encoding="utf-8"))


def _hashed(inline: Markup) -> Markup:
    """As a content security policy names what stands in the page itself."""
    return Markup(f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'")
