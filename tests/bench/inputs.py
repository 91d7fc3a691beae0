"""Generated inputs of the benches, kept under ``build/bench`` until the generator changes."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import orjson

from worker.devkit import claims as claims_package
from worker.devkit import generator
from worker.devkit.claims import Event

BUILD = Path(__file__).parents[2] / "build" / "bench"
SEED = 7


def kept(name: str, events: Iterable[Event]) -> Path:
    """A file of these events, as JSON Lines. ``name`` tells them apart from others of the same generator."""
    file = BUILD / f"{name}-{SEED}-{_generator_version()}.jsonl"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        with partial.open("wb") as out:
            out.writelines(orjson.dumps(event) + b"\n" for event in events)
        partial.replace(file)
    return file


def _generator_version() -> str:
    devkit = Path(generator.__file__).parent
    sources = [
        Path(generator.__file__),
        *Path(claims_package.__file__).parent.glob("*.py"),
        *devkit.glob("data/*"),
    ]
    return sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()[:12]
