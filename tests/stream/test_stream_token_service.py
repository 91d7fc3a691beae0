"""A token service, asked for client credentials: once for many, in time, and for nothing but a token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.stream.certificates import HERE, Authority
from tests.stream.streamkit import Clock
from tests.stream.tokenkit import Issuer, Service, serving
from worker.stream.connecting.refusal import NotConnectedError, SecurityError
from worker.stream.connecting.secret_file import SecretFile
from worker.stream.connecting.tls import Tls, TlsFiles
from worker.stream.connecting.token_service import MAX_ANSWER_BYTES, Client, TokenService

SECRET = "open=sesame&more"  # noqa: S105  a test's


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("test")


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def service(issuer: Issuer) -> AsyncIterator[Service]:
    async with serving(Service(issuer, "worker 1", SECRET, lasts=100)) as service:
        yield service


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


@pytest.fixture
def renew(secret: Path) -> Callable[[str], int]:
    return secret.write_text


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(service: Service, secret: Path, clock: Clock) -> TokenService:
    return asking(service.url, secret, clock)


async def test_a_token_is_asked_for_once_and_again_when_most_of_its_life_is_over(
    service: Service, tokens: TokenService, clock: Clock
) -> None:
    first = await tokens.token()
    clock.time += 79
    assert await tokens.token() == first
    assert len(service.asked) == 1
    clock.time += 1
    await tokens.token()
    assert len(service.asked) == 2


async def test_many_connections_ask_for_one_token_together(service: Service, tokens: TokenService) -> None:
    service.delay = 0.05
    found = await asyncio.gather(*[tokens.token() for _ in range(20)])
    assert len(set(found)) == len(service.asked) == service.most_at_once == 1


async def test_one_of_unknown_life_is_for_one_connection(service: Service, tokens: TokenService) -> None:
    service.body = b'{"access_token": "abc", "token_type": "bearer"}'
    assert [await tokens.token(), await tokens.token()] == ["abc", "abc"]
    assert len(service.asked) == 2


async def test_one_that_a_broker_refused_is_not_used_again(service: Service, tokens: TokenService) -> None:
    await tokens.token()
    tokens.refused()
    await tokens.token()
    assert len(service.asked) == 2


async def test_a_renewed_secret_is_used_for_the_next_token(
    service: Service, tokens: TokenService, renew: Callable[[str], int]
) -> None:
    await tokens.token()
    tokens.refused()
    service.secret = "renewed"  # noqa: S105  a test's
    with pytest.raises(SecurityError):
        await tokens.token()
    renew("renewed")
    await tokens.token()


async def test_a_refusal_is_one_line_without_secret_and_answer(
    service: Service, tokens: TokenService
) -> None:
    service.secret = "another"  # noqa: S105  a test's
    with pytest.raises(SecurityError) as refused:
        await tokens.token()
    assert str(refused.value) == (
        f"the token service {service.url} (MMS_OAUTH_TOKEN_URL) refuses a token "
        "(HTTP 401, invalid_client); "
        "see MMS_OAUTH_CLIENT_ID, MMS_OAUTH_CLIENT_SECRET_FILE and MMS_OAUTH_SCOPE"
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
async def test_what_another_try_would_not_mend_is_told_as_that(
    service: Service, tokens: TokenService, status: int
) -> None:
    service.status, service.body = status, b'{"error": "<secret>"}'
    service.headers = {"Location": "http://127.0.0.1:1/"} if status == 302 else {}
    with pytest.raises(SecurityError, match=rf"refuses a token \(HTTP {status}\)") as refused:
        await tokens.token()
    assert "<secret>" not in str(refused.value)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_what_may_pass_is_tried_again_as_a_broker_that_is_away_is(
    service: Service, tokens: TokenService, status: int
) -> None:
    service.status = status
    with pytest.raises(NotConnectedError, match=f"HTTP {status}") as told:
        await tokens.token()
    assert not isinstance(told.value, SecurityError)
    service.status = None
    await tokens.token()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"token_type": "bearer"}',
        b'{"access_token": 1}',
        b'{"access_token": "a\\u0001b", "token_type": "bearer"}',
        b'{"access_token": "", "token_type": "bearer"}',
        b'{"access_token": "abc", "token_type": "mac"}',
        b'{"access_token": "abc", "expires_in": "soon"}',
        b'{"access_token": "' + b"a" * MAX_ANSWER_BYTES + b'"}',
        b"[" * 100_000,
        b"\xff",
    ],
)
async def test_an_answer_that_is_no_token_is_refused(
    service: Service, tokens: TokenService, body: bytes
) -> None:
    service.body = body
    with pytest.raises(SecurityError, match=r"\(MMS_OAUTH_TOKEN_URL\)"):
        await tokens.token()


async def test_an_answer_may_come_in_parts(secret: Path, clock: Clock) -> None:
    body = b'{"access_token": "abc", "token_type": "bearer"}'

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:20])
        await writer.drain()
        await asyncio.sleep(0.05)  # or both would be read as one
        writer.write(body[20:])
        writer.close()

    async with await asyncio.start_server(answer, HERE, 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await asking(f"http://{HERE}:{port}/", secret, clock).token() == "abc"


async def test_a_service_that_does_not_answer_in_time_is_waited_for_no_longer(
    service: Service, secret: Path, clock: Clock
) -> None:
    service.delay = 0.5
    with pytest.raises(NotConnectedError, match=r"did not answer within 0.1 s"):
        await asking(service.url, secret, clock, within=0.1).token()


async def test_a_service_that_is_not_there_is_told(secret: Path, clock: Clock) -> None:
    with pytest.raises(NotConnectedError, match="cannot be reached") as told:
        await asking("http://127.0.0.1:1/token", secret, clock).token()
    assert not isinstance(told.value, SecurityError)


async def test_a_service_of_another_ca_gets_no_secret(
    issuer: Issuer, authority: Authority, secret: Path, clock: Clock, tmp_path: Path
) -> None:
    service = Service(issuer, "worker 1", SECRET)
    certificate, key = authority.issue("tokens", [HERE]).save(tmp_path, "tokens")
    ca = tmp_path / "other.pem"
    ca.write_bytes(Authority("other").pem)
    async with serving(service, certificate=certificate, key=key):
        tokens = asking(service.url, secret, clock, ca=ca)
        with pytest.raises(SecurityError, match=r"is not trusted: unable to get .*; see MMS_TLS_CA_FILE"):
            await tokens.token()
        ca.write_bytes(authority.pem)
        await tokens.token()
    assert len(service.asked) == 1


def asking(
    url: str, secret: Path, clock: Clock, *, ca: Path | None = None, within: float = 5
) -> TokenService:
    tls = Tls(TlsFiles(ca, None, None, None))
    client = Client(url, "worker 1", None, within)
    return TokenService(client, SecretFile(secret, "MMS_OAUTH_CLIENT_SECRET_FILE"), tls, clock)
