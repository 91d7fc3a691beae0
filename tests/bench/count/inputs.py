"""What the kinds of work are counted over: made-up claims and events, the same for the same generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path

import orjson

from tests.bench.count.core import WARM_UP
from tests.bench.inputs import SEED
from worker.devkit.claims import Event
from worker.devkit.generator import events, histories

COUNTED = 200
"""Values of a kind that are counted."""
ENOUGH = 100_000
"""Claims among which there are more than enough of every kind."""
MEMBERS = 60
"""So few that most of the events find a history."""


def written(directory: Path) -> str:
    """Write ``<kind>.jsonl`` for each kind, and give a digest of them all."""
    digest = sha256()
    for kind, made in _made().items():
        content = b"".join(orjson.dumps(event) + b"\n" for event in islice(made, WARM_UP + COUNTED))
        (directory / f"{kind}.jsonl").write_bytes(content)
        digest.update(content)
    return digest.hexdigest()[:12]


def _made() -> dict[str, Iterator[Event]]:
    return {
        "decode": _claims(_has_four_lines_and_a_lesion),
        "four-lines": _claims(_has_four_lines_and_a_lesion),
        "out-of-scope": _claims(_is_out_of_scope),
        "history": histories(WARM_UP + COUNTED, SEED, MEMBERS),
    }


def _claims(is_wanted: Callable[[Event], bool]) -> Iterator[Event]:
    return filter(is_wanted, events(ENOUGH, SEED))


def _has_four_lines_and_a_lesion(event: Event) -> bool:
    claim = event["data"]
    lesions = (claim.get("documentation") or {}).get("lesions")
    return len(claim["lines"]) == 4 and bool(lesions) and not _is_out_of_scope(event)


def _is_out_of_scope(event: Event) -> bool:
    """Whether no line is of Mohs surgery, 17311 to 17315."""
    return not any(line["procedure"].startswith("1731") for line in event["data"]["lines"])
