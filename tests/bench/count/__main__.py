"""What the core costs in instructions and allocations, against the stored baseline: ``make count``.

Run ``python -m tests.bench.count [--accept]``. Wall time says little on a shared machine; instructions are
the same whenever the same files do the same work. Not counted are start-up and the collection of garbage. The
processor that valgrind shows has no SHA and no AVX-512: digests weigh more here than on a real one.

Ends with 1 when a count is above the baseline's by more than the tolerance. ``--accept`` stores what was
counted instead. Either way ``build/count.json`` has it, so that a baseline can be taken from CI's machine.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.bench.count import baseline, core, inputs
from tests.bench.count.baseline import Baseline, Change, Counts
from tests.bench.count.callgrind import CountError, Counting, Part
from tests.bench.count.environment import environment
from worker.reference import load_reference

ROOT = Path(__file__).parents[3]
CORES = {"interpreted": ROOT, "compiled": ROOT / "build" / "compiled"}
"""Where to import each from: the sources, and the same with the rules compiled to C (``make compiled``)."""
WRITTEN = ROOT / "build" / "count.json"


def counted() -> Baseline:
    """Count both cores, at the same time. Raises CountError."""
    if not CORES["compiled"].exists():
        raise CountError("there is no compiled core: make compiled")
    kinds = list(core.works(load_reference()))
    with TemporaryDirectory() as name:
        directory = Path(name)
        here = environment(inputs.written(directory))
        under_way = {one: Counting(one, tree, directory, directory) for one, tree in CORES.items()}
        try:
            parts = {one: counting.parts() for one, counting in under_way.items()}
        finally:
            for counting in under_way.values():
                counting.stop()
    return Baseline(here, {one: _counts(kinds, found) for one, found in parts.items()})


def _counts(kinds: list[str], parts: list[Part]) -> dict[str, dict[str, float]]:
    if len(parts) != len(kinds):
        raise CountError(
            f"callgrind wrote {len(parts)} profiles of {len(kinds)}: is this interpreter stripped?"
        )
    return {
        kind: {
            "instructions": round(part.instructions / inputs.COUNTED),
            "allocations": round(part.allocations / inputs.COUNTED, 1),
        }
        for kind, part in zip(kinds, parts, strict=True)
    }


def table(before: Counts, now: Counts) -> Table:
    shown = Table("core", "kind of work", box=None)
    for title in ("of one event", "", "baseline", "change"):
        shown.add_column(title, justify="left" if not title else "right")
    for one in baseline.changes(before, now):
        cells = (_number(one.now), one.unit, _number(one.before), _share(one))
        shown.add_row(one.core, one.kind, *cells)
    return shown


def _number(count: float | None) -> str:
    return "-" if count is None else f"{count:,.0f}"


def _share(change: Change) -> str:
    return "-" if change.share is None else f"{change.share:+.1%}"


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="store the counts as the new baseline")
    options = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    try:
        with console.status("counting instructions"):
            now = counted()
    except CountError as error:
        console.print(f"nothing was counted: {error}")
        return 1
    before = baseline.read(baseline.FILE)
    console.print(table(before.counts if before else {}, now.counts))
    baseline.write(WRITTEN, now)
    if options.accept:
        baseline.write(baseline.FILE, now)
        console.print(f"stored as the baseline: {baseline.FILE.relative_to(ROOT)}")
        return 0
    in_ci = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
    verdict = baseline.judged(before, now, in_ci=in_ci)
    for line in verdict.lines:
        console.print(line)
    return 0 if verdict.passes else 1


if __name__ == "__main__":
    sys.exit(main())
