"""The generated claims that are measured, by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Literal, TypeAlias

from tests.bench.inputs import SEED, kept
from worker.devkit.claims import Event
from worker.devkit.generator import events

Kind: TypeAlias = Literal["four lines", "out of scope", "small"]

ENDLESS = 1 << 40
"""Claims among which there are enough of every kind."""
MOHS = "1731"
"""What the codes of Mohs surgery, 17311 to 17315, begin with."""


def picked(kind: Kind, count: int) -> list[bytes]:
    """The first claims of a kind, each a structured-mode CloudEvent."""
    chosen = islice(filter(KINDS[kind], events(ENDLESS, SEED)), count)
    return kept(f"core-{kind.replace(' ', '-')}-{count}", chosen).read_bytes().splitlines()


def member_of(value: bytes) -> bytes:
    """The member of an event, which is its record's key. Decoding all of it would take far longer."""
    return value.partition(b'"member_id":"')[2].partition(b'"')[0]


def _has_four_lines_and_a_lesion(event: Event) -> bool:
    claim = event["data"]
    lesions = (claim.get("documentation") or {}).get("lesions")
    return len(claim["lines"]) == 4 and bool(lesions) and not _is_out_of_scope(event)


def _is_out_of_scope(event: Event) -> bool:
    return not any(line["procedure"].startswith(MOHS) for line in event["data"]["lines"])


def _is_small(event: Event) -> bool:
    return len(event["data"]["lines"]) <= 2


KINDS: Mapping[Kind, Callable[[Event], bool]] = {
    "four lines": _has_four_lines_and_a_lesion,
    "out of scope": _is_out_of_scope,
    "small": _is_small,
}
