"""Signed tokens (RS256), the key set that brokers check them by, and a service that gives them."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import orjson
from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

AUDIENCE = "kafka"
KEY_ID = "key-1"


class Issuer:
    """Signs tokens."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def key_set(self) -> bytes:
        """The public key as a JSON Web Key Set (RFC 7517)."""
        numbers = self._key.public_key().public_numbers()
        parts = {name: _base64(_bytes(getattr(numbers, name))) for name in ("n", "e")}
        return orjson.dumps({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, **parts}]})

    def token(self, user: str = "worker", lasts: float = 3600) -> str:
        """A token of a user for so many seconds."""
        now = datetime.now(UTC).timestamp()
        claims = {"sub": user, "aud": AUDIENCE, "iat": int(now), "exp": ceil(now + lasts), "scope": "kafka"}
        parts = [{"alg": "RS256", "typ": "JWT", "kid": KEY_ID}, claims]
        signed = ".".join(_base64(orjson.dumps(part)) for part in parts)
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"


class Service:
    """A token service that answers as it is told to; it counts what it is asked."""

    def __init__(self, issuer: Issuer, client: str, secret: str, lasts: float = 3600) -> None:
        self.secret = secret
        self.status: int | None = None
        """Answer with this status instead of a token."""
        self.body: bytes | None = None
        self.headers: dict[str, str] = {}
        self.delay = 0.0
        self.asked: list[dict[str, str]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.url = ""
        self._issuer = issuer
        self._client = client
        self._lasts = lasts

    async def answer(self, request: web.Request) -> web.Response:
        """One request for a token."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.delay)
            form = dict(await request.post())
            self.asked.append({name: str(value) for name, value in form.items()})
            basic = request.headers["Authorization"].removeprefix("Basic ")
            login = tuple(map(unquote_plus, base64.b64decode(basic).decode().split(":")))
            if self.status is not None or self.body is not None:
                return web.Response(status=self.status or 200, body=self.body, headers=self.headers)
            if login != (self._client, self.secret):
                return web.json_response({"error": "invalid_client", "said": login}, status=401)
            token = self._issuer.token(lasts=self._lasts)
            answer: dict[str, Any] = {"access_token": token, "token_type": "Bearer"}
            return web.json_response({**answer, "expires_in": self._lasts})
        finally:
            self.at_once -= 1


@asynccontextmanager
async def serving(
    service: Service, *, certificate: Path | None = None, key: Path | None = None
) -> AsyncIterator[Service]:
    """The service on a free port of loopback, by TLS if it has a certificate; ``service.url`` says where."""
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, key)
    app = web.Application()
    app.router.add_post("/token", service.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        service.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}/token"
        yield service
    finally:
        await runner.cleanup()


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)
