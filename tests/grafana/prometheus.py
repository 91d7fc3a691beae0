"""A real Prometheus on a free loopback port, and what its API answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import yaml

from tests.grafana.server import Server
from worker.devkit.ports import free_ports

DATA = "data"
"""Where its blocks are, in its directory."""
END_OF_TIME = "4102444800"
"""Of exemplars: the year 2100."""


class Sample(NamedTuple):
    """One value of a series, or of a scalar, which has no labels."""

    labels: Mapping[str, str]
    value: float


class QueryError(AssertionError):
    """Prometheus refused an expression; the message has its reason."""


class Prometheus(Server):
    """One Prometheus; what it has stored is there for another that is made on its directory."""

    NAME = "prometheus"

    def __init__(self, directory: Path, config: Mapping[str, Any], port: int | None = None) -> None:
        """Write ``config`` (that of ``prometheus.yml``) and start; ready once ``ready`` has returned.

        It listens on ``port``, or else on a free one.
        """
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / "prometheus.yml"
        file.write_text(yaml.safe_dump(dict(config)))
        options = [
            f"--config.file={file}",
            f"--storage.tsdb.path={directory / DATA}",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
        ]
        super().__init__(port or free_ports(1)[0], options, directory)

    async def query(self, expression: str) -> list[Sample]:
        """What the expression is now. Raises QueryError where it cannot be evaluated."""
        data = await self._get("query", query=expression)
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(one["metric"], float(one["value"][1])) for one in data["result"]]

    async def value(self, expression: str) -> float:
        """The one value of an expression; NaN while it has none."""
        samples = await self.query(expression)
        assert len(samples) <= 1, f"{expression} has {len(samples)} values"
        return samples[0].value if samples else math.nan

    async def rules(self) -> list[dict[str, Any]]:
        """Every rule that it has loaded, with its health and last error."""
        return [rule for group in (await self._get("rules"))["groups"] for rule in group["rules"]]

    async def exemplars(self, selector: str) -> list[dict[str, Any]]:
        """The exemplars of all series of a selector, of whatever time."""
        found = await self._get("query_exemplars", query=selector, start="0", end=END_OF_TIME)
        return [exemplar for series in found for exemplar in series["exemplars"]]

    async def _get(self, path: str, **parameters: str) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/{path}", params=parameters) as answer,
        ):
            body = await answer.json()
        if body["status"] != "success":
            raise QueryError(f"{parameters}: {body['error']}")
        return body["data"]
