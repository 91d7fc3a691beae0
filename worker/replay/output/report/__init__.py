"""``report.html``: one self-contained page that tells a person what a replay found."""

from worker.replay.output.report.page import report

__all__ = ["report"]
