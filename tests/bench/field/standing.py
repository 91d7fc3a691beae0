"""What a contestant came to over all its rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from msgspec import Struct

from tests.bench.field.contestants import OURS, Contestant
from tests.bench.field.throughput import Round

UNKNOWN = "unknown"


class Spread(Struct):
    """Of a figure over all rounds."""

    median: float
    least: float
    most: float


class Standing(Struct):
    """What a contestant came to over all its rounds."""

    name: str
    version: str
    guarantee: str
    history: str
    rate: Spread
    """Input records a second."""
    ours_to_it: Spread | None
    """The worker's rate to this one's, round by round; None where no round has both."""
    cpu_us: Spread
    """A record."""
    core: Spread
    broker_core: Spread
    peak: int
    output: str
    """How its results stand to those of the fold, in the first round that is not exact; and how it ended."""


def standings(
    contestants: Sequence[Contestant], rounds: Sequence[Round], versions: Mapping[str, str]
) -> list[Standing]:
    """Those contestants that have rounds, the fastest first; ``versions`` is by name."""
    ours = {one.number: one.rate for one in rounds if one.contestant == OURS}
    found = []
    for contestant in contestants:
        own = [one for one in rounds if one.contestant == contestant.name]
        if own:
            found.append(_standing(contestant, own, ours, versions.get(contestant.name, UNKNOWN)))
    return sorted(found, key=lambda one: -one.rate.median)


def _standing(
    contestant: Contestant, own: Sequence[Round], ours: Mapping[int, float], version: str
) -> Standing:
    def spread(of: Callable[[Round], float]) -> Spread:
        return _spread([of(one) for one in own])

    ratios = [ours[one.number] / one.rate for one in own if one.number in ours]
    exits = "".join(f", exit code {code}" for code in sorted({one.exit_code or 0 for one in own} - {0}))
    worst = next((one.verdict for one in own if not one.verdict.is_exact), own[0].verdict)
    return Standing(
        name=contestant.name,
        version=version,
        guarantee=contestant.guarantee,
        history=contestant.history,
        rate=spread(lambda one: one.rate),
        ours_to_it=_spread(ratios) if ratios else None,
        cpu_us=spread(lambda one: one.cpu_us),
        core=spread(lambda one: one.core),
        broker_core=spread(lambda one: one.broker_core),
        peak=max(one.peak for one in own),
        output=f"{worst}{exits}",
    )


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))
