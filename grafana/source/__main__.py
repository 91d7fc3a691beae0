"""Write every dashboard and the runbook's page to its file. They are committed: Grafana serves those."""

from __future__ import annotations

from pathlib import Path

from grafana.source import adjudication, audit, flow, overview, runbook

DIRECTORY = Path(__file__).parents[1] / "dashboards"
PAGE = DIRECTORY.parent / "runbooks.html"

ALL = (overview.DASHBOARD, flow.DASHBOARD, adjudication.DASHBOARD, audit.DASHBOARD)


def written() -> dict[str, str]:
    """The text of each dashboard's file, by the file's name."""
    return {f"{dashboard.uid}.json": dashboard.text() for dashboard in ALL}


def main() -> None:
    """Write the files, and remove those of dashboards that are no more."""
    DIRECTORY.mkdir(exist_ok=True)
    texts = written()
    for path in DIRECTORY.glob("*.json"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")
    PAGE.write_text(runbook.page(), encoding="utf-8")


if __name__ == "__main__":
    main()
