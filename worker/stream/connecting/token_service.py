"""Tokens from an OAuth 2 service for client credentials (RFC 6749, section 4.4)."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus
from weakref import WeakKeyDictionary

import aiohttp
import msgspec

from worker.adjudication.redacted import redacted
from worker.stream.connecting.bearer import Tokens, valid
from worker.stream.connecting.refusal import NotConnectedError, SecurityError

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.stream.connecting.secret_file import SecretFile
    from worker.stream.connecting.tls import Tls

USED_FOR = 0.8
"""The share of its life for which a token is given to new connections: none should arrive when it is over."""
MAX_ANSWER_BYTES = 1 << 20
AGAIN = {408, 425, 429}
"""Refusals that pass (HTTP), beside all from 500 on."""
ERRORS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
}
"""What a service may say of a refusal (RFC 6749, section 5.2). Nothing else of its answer is told."""
ASKED_WITH = "MMS_OAUTH_CLIENT_ID, MMS_OAUTH_CLIENT_SECRET_FILE and MMS_OAUTH_SCOPE"


class Client(NamedTuple):
    """Who asks whom for tokens, and what for."""

    url: str
    id: str
    scope: str | None
    within: float
    """Seconds that an answer may take."""


@redacted
class _Answer(msgspec.Struct):
    access_token: str
    token_type: str = "bearer"  # noqa: S105  a kind of token, and required, but some leave it out
    expires_in: float | None = None


class TokenService(Tokens):
    """Asks for a token when a connection needs one and there is none that still lasts; one request at a time.

    ``now`` is a clock in seconds that never goes back.
    """

    def __init__(
        self, client: Client, secret: SecretFile, tls: Tls, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._secret = secret
        self._tls = tls
        self._now = now
        self._token = ""
        self._lasts_until = 0.0
        # A lock belongs to the loop that it was waited for in, and a process may have one after the other.
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def token(self) -> str:
        """A token that lasts for some time yet.

        Raises SecurityError if the service refuses, NotConnectedError if it does not answer.
        """
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self._now() >= self._lasts_until:
                asked = self._now()
                answer = await self._asked()
                self._token = valid(answer.access_token, self._where)
                # One that does not say how long it lasts is for this connection alone.
                self._lasts_until = asked + USED_FOR * max(0.0, answer.expires_in or 0.0)
            return self._token

    def refused(self) -> None:
        """Ask for another one: the service may sign with a new key by now."""
        self._lasts_until = 0.0

    @property
    def _where(self) -> str:
        return f"the token service {self._client.url} (MMS_OAUTH_TOKEN_URL)"

    async def _asked(self) -> _Answer:
        try:
            async with asyncio.timeout(self._client.within):
                status, body = await self._post()
        except TimeoutError:
            raise NotConnectedError(
                f"{self._where} did not answer within {self._client.within:g} s"
            ) from None
        except aiohttp.ClientConnectorCertificateError as error:
            why = getattr(error.certificate_error, "verify_message", "") or "its certificate does not verify"
            raise SecurityError(f"{self._where} is not trusted: {why}; see MMS_TLS_CA_FILE") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NotConnectedError(f"{self._where} cannot be reached: {_kind(error)}") from None
        if status != 200:
            raise self._refusal(status, body)
        try:
            answer = msgspec.json.decode(body, type=_Answer, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise SecurityError(f"{self._where} does not answer with a token as RFC 6749 has it") from None
        if answer.token_type.lower() != "bearer":
            raise SecurityError(f"{self._where} gives tokens that are no bearer tokens")
        return answer

    async def _post(self) -> tuple[int, bytes]:
        form = {"grant_type": "client_credentials"}
        if self._client.scope is not None:
            form["scope"] = self._client.scope
        # RFC 6749, section 2.3.1: both are encoded as forms are, before they are joined by a colon.
        login = f"{quote_plus(self._client.id)}:{quote_plus(self._secret.value())}"
        basic = b64encode(login.encode("ascii")).decode("ascii")
        async with (
            # Nothing is unpacked: little that is sent could be much that is held.
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.post(
                self._client.url,
                data=form,
                headers={
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                    "Authorization": f"Basic {basic}",
                },
                ssl=self._tls.context(),
                allow_redirects=False,  # the secret is for this address alone
            ) as response,
        ):
            body = b""
            async for part in response.content.iter_any():  # it comes in as many as the network makes of it
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    break
            return response.status, body[:MAX_ANSWER_BYTES]

    def _refusal(self, status: int, body: bytes) -> NotConnectedError:
        said = f"{self._where} refuses a token (HTTP {status}{_code(body)})"
        if status >= 500 or status in AGAIN:
            return NotConnectedError(said)
        if 300 <= status < 400:
            return SecurityError(f"{said}: it sends elsewhere, and the secret is sent nowhere else")
        return SecurityError(f"{said}; see {ASKED_WITH}")


def _code(body: bytes) -> str:
    try:
        said: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    code = said.get("error") if isinstance(said, dict) else None
    return f", {code}" if isinstance(code, str) and code in ERRORS else ""


def _kind(error: Exception) -> str:
    reason = getattr(error, "os_error", error)
    return getattr(reason, "strerror", None) or type(error).__name__
