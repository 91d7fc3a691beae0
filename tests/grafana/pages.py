"""The metrics page of a running worker, in the form that is asked for."""

from __future__ import annotations

from typing import NamedTuple

import aiohttp

from worker.devkit.ports import LOOPBACK

TEXT = "text/plain;version=0.0.4"
OPEN_METRICS = "application/openmetrics-text;version=1.0.0"
PROMETHEUS = f"{OPEN_METRICS},application/openmetrics-text;version=0.0.1;q=0.75,{TEXT};q=0.5,*/*;q=0.1"
"""What a Prometheus that stores exemplars asks for."""


class Page(NamedTuple):
    """A page as it was served."""

    content_type: str
    text: str


async def metrics_page(port: int, accept: str = OPEN_METRICS) -> Page:
    """What a worker on this port serves at /metrics."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{LOOPBACK}:{port}/metrics", headers={"Accept": accept}) as answer,
    ):
        answer.raise_for_status()
        return Page(answer.headers["Content-Type"], await answer.text())
