"""Connections of aiokafka's clients, each made with what the files hold by then, and given up before it ends.

A client of aiokafka keeps the TLS context and the password that it was made with, tells no caller why a
connection did not come about, takes a bearer token that was refused for one that was accepted, and uses a
connection until the broker cuts it off (KIP-368). All of them make their connections by one function, and
that is replaced here.
"""

from __future__ import annotations

import logging
import os
import ssl
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import ref

from aiokafka import client as aiokafka_client
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    SaslAuthenticationFailed,
)
from aiokafka.protocol.admin import SaslAuthenticateRequest

from worker.stream.connecting.bearer import Tokens
from worker.stream.connecting.logins import Bearer, Scram
from worker.stream.connecting.refusal import (
    Attempt,
    NotConnectedError,
    SecurityError,
    closed,
    explained,
)
from worker.stream.connecting.secret_file import SecretFile
from worker.stream.connecting.tls import NO_FILES, Tls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

USED_FOR = 0.85
"""The share of a session for which it is used; Java's client logs in anew from there on."""
LOOK_S = 0.05
"""How often a connection that is given up looks whether its last answers have come."""

_bootstrap, _send = AIOKafkaClient.bootstrap, AIOKafkaClient.send
UNCONNECTED = 'Unable connect to "%s:%s": %s'
"""What aiokafka logs of each broker that it cannot begin with."""
_withheld: ContextVar[list[logging.LogRecord] | None] = ContextVar("withheld", default=None)
_failures: ContextVar[dict[str, BaseException] | None] = ContextVar("failures", default=None)
"""Why connections could not be made, by address, for whoever asks for it in this task."""


def secure_connections() -> None:
    """Let every client of this process, and those that there are, make its connections in this way."""
    aiokafka_client.create_conn = connect
    AIOKafkaClient.bootstrap = _bootstrap_or_tell
    AIOKafkaClient.send = _send_or_tell
    logging.getLogger("aiokafka").addFilter(_is_to_be_logged)  # the same one is added once


async def connect(host: str, port: int, **given: Any) -> AIOKafkaConnection:
    """A connection that is ready for requests, as ``aiokafka.conn.create_conn`` makes it.

    ``ssl_context`` may be a Tls, ``sasl_plain_password`` a SecretFile. Raises SecurityError if TLS or the
    login refuses it, and what aiokafka raises.
    """
    tls, password = given.get("ssl_context"), given.get("sasl_plain_password")
    tokens = given.get("sasl_oauth_token_provider")
    attempt = Attempt(
        f"{host}:{port}",
        given.get("security_protocol", ""),
        given.get("sasl_mechanism"),
        given.get("sasl_plain_username"),
        tls.files if isinstance(tls, Tls) else NO_FILES,
    )
    if isinstance(tls, Tls):
        given["ssl_context"] = tls.context()
    if isinstance(password, SecretFile):
        given["sasl_plain_password"] = password.value()
    connection = Connection(host, port, **given)
    try:
        await connection.connect()
    except (KafkaError, OSError, ValueError, LookupError, AssertionError) as error:
        if isinstance(error, SaslAuthenticationFailed) and isinstance(tokens, Tokens):
            tokens.refused()
        told = explained(error, attempt)
        if (failures := _failures.get()) is not None:
            failures[attempt.address] = told
        if told is error:
            raise
        raise told from error
    return connection


class Connection(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types
    """A connection that is not used any more when the broker is about to end its session (KIP-368).

    Requests that are under way are answered on it, the next one is sent on a new one, with a new login.
    """

    _is_over = False

    def send(self, request: Any, expect_response: bool = True) -> Awaitable[Any]:
        """Send a request, and hear how long the session lasts if it is a login."""
        answer: Awaitable[Any] = super().send(request, expect_response)
        if isinstance(request, SaslAuthenticateRequest):
            return self._logged_in(answer)
        return answer

    async def _logged_in(self, answer: Awaitable[Any]) -> Any:
        response = await answer
        lifetime_ms = getattr(response, "session_lifetime_ms", 0)
        if lifetime_ms > 0:
            # Weak: one that is closed before is not kept until then.
            self._loop.call_later(USED_FOR * lifetime_ms / 1000, _give_up, ref(self))
        return response

    def _close_when_answered(self, until: float) -> None:
        if self._requests and self._loop.time() < until:
            self._loop.call_later(LOOK_S, self._close_when_answered, until)
        else:
            self.close(CloseReason.IDLE_DROP)

    def give_up(self) -> None:
        """Take no requests any more; close when those under way are answered, or nobody waits for them."""
        self._is_over = True
        self._close_when_answered(self._loop.time() + self._request_timeout)

    def connected(self) -> bool:
        """Whether it takes requests."""
        return not self._is_over and super().connected()

    def authenticator_scram(self) -> Scram:
        """Whoever logs in by a password that is not shown."""
        return Scram(
            loop=self._loop,
            sasl_plain_password=self._sasl_plain_password,
            sasl_plain_username=self._sasl_plain_username,
            sasl_mechanism=self._sasl_mechanism,
        )

    def authenticator_oauth(self) -> Bearer:
        """Whoever logs in by a token."""
        return Bearer(sasl_oauth_token_provider=self._sasl_oauth_token_provider)


def _give_up(connection: ref[Connection]) -> None:
    known = connection()
    if known is not None:
        known.give_up()


@contextmanager
def _heard() -> Iterator[dict[str, BaseException]]:
    """What fails meanwhile, in this task."""
    failures: dict[str, BaseException] = {}
    before = _failures.set(failures)
    try:
        yield failures
    finally:
        _failures.reset(before)


@contextmanager
def _withholding() -> Iterator[None]:
    """Log of brokers that cannot be begun with only where another one could: the error tells of them else."""
    records: list[logging.LogRecord] = []
    before = _withheld.set(records)
    try:
        yield
    finally:
        _withheld.reset(before)
    for record in records:
        logging.getLogger(record.name).handle(record)


def _is_to_be_logged(record: logging.LogRecord) -> bool:
    withheld = _withheld.get()
    if withheld is None or record.msg != UNCONNECTED:
        return True
    withheld.append(record)
    return False


async def _bootstrap_or_tell(client: AIOKafkaClient) -> None:
    """Connect to one of the brokers. Raises SecurityError if every one of them refuses it."""
    with _heard() as failures, _withholding():
        try:
            await _bootstrap(client)
        except KafkaConnectionError as error:
            refused = sum(isinstance(failure, SecurityError) for failure in failures.values())
            told = dict.fromkeys(_line(failure, at) for at, failure in failures.items())
            protocol = client._security_protocol  # noqa: SLF001  nothing public tells
            why = "; ".join(told) or f"every broker {closed(protocol)}"
            is_every_one = refused == len(set(client.hosts))  # another one may let it in when it is back
            raise (SecurityError if is_every_one else NotConnectedError)(why) from error


async def _send_or_tell(client: AIOKafkaClient, *request: Any, **how: Any) -> Any:
    """Send a request. A NodeNotReadyError has the SecurityError as its cause, if that is why."""
    with _heard() as failures:
        try:
            return await _send(client, *request, **how)
        except NodeNotReadyError:
            refused = [failure for failure in failures.values() if isinstance(failure, SecurityError)]
            if not refused:
                raise
            raise NodeNotReadyError(str(refused[-1])) from refused[-1]


def _line(failure: BaseException, address: str) -> str:
    if isinstance(failure, NotConnectedError):
        return str(failure)
    number = failure.errno if isinstance(failure, OSError) and not isinstance(failure, ssl.SSLError) else None
    # What asyncio says of a number has the address once more; those of names are negative.
    why = os.strerror(number) if number is not None and number > 0 else str(failure)
    return f"{address}: {why or type(failure).__name__}"
