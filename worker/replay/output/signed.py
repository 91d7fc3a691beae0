"""What is told of the signatures of the results that a replay has read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from worker.replay.output.manifest import FileRead
from worker.replay.output.report.phrases import some
from worker.replay.output.verify import Check, part_name
from worker.replay.signatures.tally import PLACES, of_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from worker.replay.output.manifest import Manifest, PartitionRead
    from worker.replay.output.rereading import Again
    from worker.replay.signatures.tally import Place, Signatures

BROKERS_TIME = "the topic has the brokers' time, which nobody signed (message.timestamp.type=LogAppendTime)"


def check_signatures(
    manifest: Manifest, again: Mapping[PartitionRead, Again], begun: Callable[[], Signatures]
) -> Iterator[Check]:
    """A check for each source of results that the manifest names.

    ``again`` is what was read again of topics, ``begun`` begins to count a file's. What cannot be checked
    is missing, not left unchecked: who asks for signatures is going to rely on them.
    """
    sources = [one for one in manifest.inputs if one.role == "results"]
    if not sources:
        yield Check("signatures", "results", "missing", "the manifest names none")
    for one in sources:
        name = one.name if isinstance(one, FileRead) else part_name(one)
        found = _of_file(one, begun()) if isinstance(one, FileRead) else _of_part(again[one])
        yield Check("signatures", name, "missing", found) if isinstance(found, str) else _told(name, found)


def _of_file(read: FileRead, signatures: Signatures) -> Signatures | str:
    return of_file(Path(read.name), signatures) or signatures


def _of_part(again: Again) -> Signatures | str:
    return again.signatures or str(again.state)


def _told(name: str, found: Signatures) -> Check:
    counts = [f"{some(count, 'result')} by {key_id}" for key_id, count in sorted(found.signed.items())]
    if found.older:
        counts.append(f"{found.older:,} unsigned from before signing began")
    counts += [f"{count:,} {fault}" for fault, count in sorted(found.faulty.items())]
    why = ", ".join(counts) or "no results"
    if found.places:
        first = "first " if found.faulty.total() > PLACES else ""
        why += f": {first}{', '.join(_place(place) for place in found.places)}"
    if found.is_timed_by_broker:
        why += f"; {BROKERS_TIME}"
    return Check("signatures", name, "differs" if found.faulty else "matches", why)


def _place(place: Place) -> str:
    named = f" {place.key_id}" if place.fault == "of an unknown key" else ""
    return f"{place.where} {place.fault}{named}"
