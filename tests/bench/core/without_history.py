"""The worker, deciding every claim by itself: all that it does but history.

Run ``python -m tests.bench.core.without_history`` with the settings of ``mms-worker run``.
"""

from __future__ import annotations

from worker.adjudication import Adjudicated, Reference, Rejected, adjudicate_alone
from worker.adjudication.claim import Event
from worker.reference import load_reference
from worker.settings import Settings, load_settings
from worker.stream.app import run_worker
from worker.stream.core import Core, load_core
from worker.stream.deciding import Adjudicate
from worker.stream.logs import configure_logs


def main() -> None:
    settings = load_settings()
    configure_logs(settings)
    run_worker(settings, load)


def load(settings: Settings) -> Core:
    """The worker's own core, but for the deciding."""
    reference = load_reference(settings.policies_dir, settings.codes_dir, settings.payers_file)
    return load_core(settings)._replace(adjudicate=deciding_alone(reference))


def deciding_alone(reference: Reference) -> Adjudicate:
    """Decide a claim as if nothing were held of its member, and hold nothing of it."""

    def adjudicate(event: Event, _history: bytes | None) -> Adjudicated | Rejected:
        result = adjudicate_alone(event, reference)
        return result if isinstance(result, Rejected) else Adjudicated((result,), None, "claim", 0, 0)

    return adjudicate


if __name__ == "__main__":
    main()
