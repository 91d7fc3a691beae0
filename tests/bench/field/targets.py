"""What the worker shall come to beside others, and whether it has. Kafka Streams is no part of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from tests.bench.field.contestants import ALO, EOS, IN_CHANGELOG, IN_MEMORY, OURS
from tests.bench.field.latency import Latency
from tests.bench.field.standing import Spread, Standing

REFERENCE = "kafka_streams"
"""It is no Python and has rules of its own: an outside reference, and no target."""
QUIET_RATE = 10.0
"""Events a second of a system that has little to do."""


class Target(Struct):
    """What the worker's rate shall be to that of another."""

    group: str
    """Which peers it is about."""
    of: str
    """Which of them."""
    against: str
    """Who that is."""
    ours_to_it: Spread
    at_least: float
    is_met: bool
    """Whether the median is ``at_least`` or more."""
    above: float | None
    """What the ratio should be above rather; None if ``at_least`` is all that is wanted."""
    is_above: bool | None


class LatencyTarget(Struct):
    """What the worker's latency shall be at most, in ms."""

    rate: float
    """Events a second."""
    p50: float
    p50_at_most: float
    p99: float
    p99_at_most: float
    is_met: bool


class _Kind(NamedTuple):
    group: str
    of: str
    at_least: float
    above: float | None = None
    guarantee: str | None = None
    history: str | None = None
    name: str | None = None

    def takes(self, one: Standing) -> bool:
        wanted = (self.guarantee, self.history, self.name)
        there = (one.guarantee, one.history, one.name)
        return one.name not in {OURS, REFERENCE} and all(
            want in {None, has} for want, has in zip(wanted, there, strict=True)
        )


GROUPS = _EXACTLY, _AT_LEAST, _FAUST = "exactly once", "at least once", "faust"
_KINDS = (
    _Kind(_EXACTLY, "fastest with histories in memory", 1.0, guarantee=EOS, history=IN_MEMORY),
    _Kind(_EXACTLY, "with histories in a changelog", 1.0, guarantee=EOS, history=IN_CHANGELOG),
    _Kind(_AT_LEAST, "fastest", 0.8, above=1.0, guarantee=ALO),
    _Kind(_FAUST, "histories in memory", 10.0, name="faust_agent"),
    _Kind(_FAUST, "histories in a table", 10.0, name="faust_table"),
)


def targets(standings: Sequence[Standing]) -> list[Target]:
    """The targets for which there is somebody with a round that the worker has too."""
    found = []
    for kind in _KINDS:
        rated = [(one.rate.median, one.name, one.ours_to_it) for one in standings if kind.takes(one)]
        peers = [(rate, name, ratio) for rate, name, ratio in rated if ratio is not None]
        if peers:
            _, name, ratio = max(peers, key=lambda peer: peer[0])
            found.append(_target(kind, name, ratio))
    return found


def _target(kind: _Kind, against: str, ratio: Spread) -> Target:
    return Target(
        group=kind.group,
        of=kind.of,
        against=against,
        ours_to_it=ratio,
        at_least=kind.at_least,
        is_met=ratio.median >= kind.at_least,
        above=kind.above,
        is_above=None if kind.above is None else ratio.median > kind.above,
    )


def latency_targets(latencies: Iterable[Latency]) -> list[LatencyTarget]:
    """The targets of what was measured of the worker."""
    found = []
    for one in latencies:
        if one.contestant == OURS:
            p50, p99 = (30.0, 100.0) if one.rate == QUIET_RATE else (50.0, 200.0)
            found.append(
                LatencyTarget(one.rate, one.p50, p50, one.p99, p99, one.p50 <= p50 and one.p99 <= p99)
            )
    return found


def lines(found: Sequence[Target]) -> list[str]:
    """A line for each group of peers."""
    return [
        f"ours to {group}: "
        + ("; ".join(_said(one) for one in found if one.group == group) or "not measured")
        for group in GROUPS
    ]


def _said(one: Target) -> str:
    ratio = one.ours_to_it
    wanted = f"at least {one.at_least:g} {_met(one.is_met)}"
    if one.above is not None:
        wanted += f", above {one.above:g} {_met(bool(one.is_above))}"
    return f"{one.of}, {one.against}, {ratio.median:.2f} ({ratio.least:.2f} to {ratio.most:.2f}; {wanted})"


def _met(is_met: bool) -> str:
    return "met" if is_met else "not met"


def latency_line(found: Sequence[LatencyTarget]) -> str:
    """The targets in words."""
    said = [
        f"at {one.rate:,.0f} events/s p50 at most {one.p50_at_most:g}, p99 at most {one.p99_at_most:g} ms: "
        f"{_met(one.is_met)}"
        for one in found
    ]
    return "ours, " + "; ".join(said) if said else "ours: not measured"
