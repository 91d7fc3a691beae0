"""``report.html``: one self-contained page that tells a person what a replay found."""

from worker.replay.report.page import report

__all__ = ["report"]
