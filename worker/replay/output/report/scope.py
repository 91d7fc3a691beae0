"""What was replayed: where it came from, from when to when, decided by what, and under which limits."""

from __future__ import annotations

from collections.abc import Sequence

from worker.devkit.report import DEAD_LETTERS
from worker.replay.output.report.markup import NOTHING, Markup, joined, tag
from worker.replay.output.report.phrases import CAUSES, DASH, cause_in_words, number, place_of, some
from worker.replay.output.report.tables import Column, folded, numbers, section, table
from worker.replay.output.summary import BasisSummary, SourceSummary, Summary
from worker.replay.telling.outcome import Counts

FEW = 6
"""Tables of up to so many rows are not folded."""


def scope(summary: Summary) -> Markup:
    """The section."""
    return section(
        "scope",
        "What was replayed" if summary.kind != "impact" else "What was compared",
        tag("dl", *(_term(*one) for one in _facts(summary)), class_="facts"),
        _sources(summary.sources),
        _bases(summary),
        _rejected(summary.counts),
        _shards(summary),
    )


def partitions(summary: Summary) -> Markup:
    """What was found, partition by partition."""
    found = [cause for cause in CAUSES if summary.counts.results_by_cause.get(cause)]
    of_results = ["Decisions"] if summary.kind == "impact" else ["Published", "Decided again", "Reproduced"]
    columns = (
        Column(place_of(summary)),
        *numbers("Events", *of_results),
        *numbers(*(cause_in_words(one, summary.kind)[0] for one in found)),
    )
    rows = (_partition(name, summary, found) for name in _by_number(summary.by_partition))
    caption = f"Results by {place_of(summary).lower()}"
    return folded(caption, table("partitions", caption, columns, rows))


def _partition(name: str, summary: Summary, found: Sequence[str]) -> list[str]:
    counts = summary.by_partition[name]
    told = [counts.results_published, counts.results_decided, counts.reproduced]
    if summary.kind == "impact":
        told = [counts.results_decided]
    causes = (counts.results_by_cause.get(one, 0) for one in found)
    return [name, *map(number, (counts.events_replayed, *told, *causes))]


def _facts(summary: Summary) -> list[tuple[str, str]]:
    window, counts = summary.window, summary.counts
    end = window.asked_to or "the end, as it was when this began"
    asked = f"from {window.asked_from or 'the beginning'} to {end}"
    facts = [("Asked for", asked)]
    if window.first_event and window.last_event:
        facts.append(
            ("Events of the window", f"{_time(window.first_event)} to {_time(window.last_event)} UTC")
        )
    read = f"{some(counts.events_replayed, 'event')} replayed"
    warmed = f", after {some(counts.events_warmed_up, 'event')} before the window for the members' history"
    facts.append(("Read", read + (warmed if counts.events_warmed_up else "")))
    facts.append(("Engine", f"rules of version {summary.engine}"))
    facts.append(("Limits", _limits(summary)))
    shown = "is shown, as asked for" if summary.with_phi else "is left out, but for claim ids"
    facts.append(("Patients' data", shown))
    return facts


def _time(iso: str) -> str:
    return iso.removesuffix("Z").replace("T", " ")


def _limits(summary: Summary) -> str:
    return (
        f"history of {some(summary.look_back_days, 'day')}, at most {number(summary.max_day_lines)} lines "
        f"of a member's day, records of at most {number(summary.max_bytes)} bytes"
    )


def _term(name: str, value: str) -> Markup:
    return tag("div", tag("dt", name), tag("dd", value))


def _sources(sources: Sequence[SourceSummary]) -> Markup:
    columns = (
        Column("Source"),
        Column("Holds"),
        *numbers("Partition", "From", "Up to", "Records"),
        Column("SHA-256", "d"),
    )
    rows = [
        (
            one.name,
            one.role,
            DASH if one.partition is None else str(one.partition),
            number(one.begin),
            number(one.end),
            number(one.records),
            one.sha256,
        )
        for one in sources
    ]
    caption = "Records that were read: offsets or line numbers, the end left out"
    return _maybe_folded(caption, len(rows), table("sources", caption, columns, rows))


def _bases(summary: Summary) -> Markup:
    columns = (
        Column("Basis"),
        Column("Found in"),
        Column("Engine"),
        *numbers("Results"),
        Column("Policies", "d"),
        Column("Code sets", "d"),
        Column("Digest", "d"),
    )
    name = "Present" if summary.kind == "impact" else "Recorded"
    rows = [_basis(name, one) for one in summary.recorded]
    if summary.compared is not None:
        rows.append(_basis("New" if summary.kind == "impact" else "Asked for", summary.compared))
    if not rows:
        return NOTHING
    caption = "Policies and code sets that it was decided by"
    return _maybe_folded(caption, len(rows), table("bases", caption, columns, rows))


def _basis(name: str, basis: BasisSummary) -> tuple[str, ...]:
    results = number(basis.results) if basis.results else DASH
    digests = (basis.policies_digest, basis.code_sets_digest, basis.digest)
    return (name, basis.where, basis.engine, results, *digests)


def _rejected(counts: Counts) -> Markup:
    if not counts.events_rejected:
        return NOTHING
    columns = (Column("Reason"), *numbers("Events"), Column("In words"))
    rows = (
        (reason, number(count), DEAD_LETTERS.get(reason, ""))
        for reason, count in sorted(counts.events_rejected.items())
    )
    return table("rejected", "Events of the window that cannot be decided (dead letters)", columns, rows)


def _shards(summary: Summary) -> Markup:
    columns = (
        Column(place_of(summary)),
        *numbers(
            "Events from", "Window from", "Window up to", "Events up to", "Results from", "Results up to"
        ),
    )
    rows = (
        (
            str(one.number),
            *map(number, (one.events.begin, one.window.begin, one.window.end, one.tail_end)),
            *map(number, (one.results.begin, one.results.end)),
        )
        for one in summary.shards
    )
    caption = f"Places of the window, by {place_of(summary).lower()}, ends left out"
    return folded(caption, table("shards", caption, columns, rows))


def _by_number(names: dict[str, Counts]) -> list[str]:
    return sorted(names, key=lambda name: (len(name), name))


def _maybe_folded(caption: str, rows: int, inside: Markup) -> Markup:
    return joined([inside]) if rows <= FEW else folded(f"{caption} ({number(rows)})", inside)
