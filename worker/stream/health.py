"""The three endpoints: /livez, /readyz and /metrics. Nothing else is served; Faust's own pages list state."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from prometheus_client.exposition import choose_encoder

from worker.stream.errors import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prometheus_client import CollectorRegistry

    from worker.settings import Settings

DEAD_AFTER_S = 20.0
"""A loop that has not looked up for so long is dead: longer than draining and leaving take together."""

log = structlog.get_logger()


class Pulse:
    """When the engine last looked up from waiting; ``now`` is a clock in seconds that never goes back."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last = now()

    def beat(self) -> None:
        """The engine looks up."""
        self._last = self._now()

    @property
    def age(self) -> float:
        """Seconds since the last beat."""
        return self._now() - self._last


@asynccontextmanager
async def serving(
    settings: Settings, pulse: Pulse, not_ready: Callable[[], list[str]], registry: CollectorRegistry
) -> AsyncIterator[None]:
    """Serve the endpoints while the context lasts. Raises Refused if the address cannot be bound.

    ``not_ready`` says what the worker still waits for; an empty list is ready.
    """
    runner = web.AppRunner(_application(pulse, not_ready, registry), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.web_host, settings.web_port, shutdown_timeout=0.5)
        try:
            await site.start()
        except OSError as error:
            raise Refused(
                f"{settings.web_host}:{settings.web_port} cannot be served: {error.strerror}; "
                f"set MMS_WEB_HOST or MMS_WEB_PORT"
            ) from error
        host, port = runner.addresses[0][:2]
        log.info("serving", url=f"http://{host}:{port}/metrics")
        yield
    finally:
        await runner.cleanup()


def _application(
    pulse: Pulse, not_ready: Callable[[], list[str]], registry: CollectorRegistry
) -> web.Application:
    async def livez(_: web.Request) -> web.Response:
        alive = pulse.age < DEAD_AFTER_S
        body = {"alive": alive, "seconds_since_last_poll": round(pulse.age, 1)}
        return web.json_response(body, status=200 if alive else 503)

    async def readyz(_: web.Request) -> web.Response:
        waiting = not_ready()
        body = {"ready": not waiting, "waiting_for": waiting}
        return web.json_response(body, status=503 if waiting else 200)

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    application = web.Application()
    application.router.add_get("/livez", livez)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", metrics)
    return application
