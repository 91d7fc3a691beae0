"""What connections are secured with: files that are renewed, logins, the least TLS."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import SaslAuthenticationFailed
from structlog.testing import capture_logs

from tests.stream.certificates import HERE, Authority, Issued
from worker.devkit.embedded import EmbeddedBroker
from worker.devkit.ports import free_ports
from worker.settings import Settings
from worker.stream.connecting.bearer import TokenFile
from worker.stream.connecting.logins import LEAST_ITERATIONS, MOST_ITERATIONS, Bearer
from worker.stream.connecting.refusal import Attempt, NotConnectedError, SecurityError, refusal
from worker.stream.connecting.secret_file import SecretFile
from worker.stream.connecting.session import Connection, connect
from worker.stream.connecting.tls import NO_FILES, Tls, TlsFiles
from worker.stream.connection import connection
from worker.stream.status.asking import asking as asking_brokers

SECRET = "open=sesame&more"  # noqa: S105  a test's


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("test")


@pytest.fixture
def pair(authority: Authority, tmp_path: Path) -> TlsFiles:
    """A CA's file, a client certificate and its key."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.pem)
    return TlsFiles(ca, *authority.issue("first").save(tmp_path, "client"), None)


@asynccontextmanager
async def peer(authority: Authority, issued: Issued, directory: Path) -> AsyncIterator[Callable[[Tls], Any]]:
    """A TLS server; what is given tells the name of the client certificate that it sees of a context."""
    certificate, key = issued.save(directory, "server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ((common_name,),) = writer.get_extra_info("peercert")["subject"]
        writer.write(common_name[1].encode() + b"\n")
        writer.close()

    server = await asyncio.start_server(tell, HERE, 0, ssl=context)
    port = server.sockets[0].getsockname()[1]

    async def seen(tls: Tls) -> str:
        reader, writer = await asyncio.open_connection(HERE, port, ssl=tls.context())
        try:
            return (await reader.readline()).decode().strip()
        finally:
            writer.close()

    async with server:
        yield seen


async def test_a_renewed_certificate_is_shown_at_the_next_connection_and_not_before_its_key_is_there(
    authority: Authority, pair: TlsFiles, tmp_path: Path
) -> None:
    async with peer(authority, authority.issue("server", [HERE]), tmp_path) as seen:
        tls = Tls(pair)
        assert await seen(tls) == "first"
        assert pair.certificate is not None
        assert pair.key is not None
        renewed = authority.issue("second")
        with capture_logs() as logs:
            pair.certificate.write_bytes(renewed.certificate)
            assert [await seen(tls), await seen(tls)] == ["first", "first"]
            pair.key.write_bytes(renewed.key)
            assert await seen(tls) == "second"
    assert [line["log_level"] for line in logs] == ["warning", "info"]
    assert "KEY_VALUES_MISMATCH" in logs[0]["error"]


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nMIIB", None])
async def test_a_ca_file_that_is_being_written_leaves_the_former_in_use(
    authority: Authority, pair: TlsFiles, tmp_path: Path, content: bytes | None
) -> None:
    async with peer(authority, authority.issue("server", [HERE]), tmp_path) as seen:
        tls = Tls(pair)
        assert pair.ca is not None
        if content is None:
            pair.ca.unlink()
        else:
            pair.ca.write_bytes(content)
        assert await seen(tls) == "first"


async def test_a_ca_that_was_taken_out_is_not_trusted_any_more(
    authority: Authority, pair: TlsFiles, tmp_path: Path
) -> None:
    async with peer(authority, authority.issue("server", [HERE]), tmp_path) as seen:
        tls = Tls(pair)
        assert await seen(tls) == "first"
        assert pair.ca is not None
        pair.ca.write_bytes(Authority("another").pem)
        with pytest.raises(ssl.SSLCertVerificationError):
            await seen(tls)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_older_tls_than_1_2_is_not_spoken(authority: Authority, pair: TlsFiles, tmp_path: Path) -> None:
    certificate, key = authority.issue("old", [HERE]).save(tmp_path, "old")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.load_cert_chain(certificate, key)
    async with await asyncio.start_server(lambda *_: None, HERE, 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotConnectedError):
            await connect(HERE, port, security_protocol="SSL", ssl_context=Tls(pair))
        older = Tls(pair).context()
        older.minimum_version = ssl.TLSVersion.TLSv1
        older.set_ciphers("ALL:@SECLEVEL=0")
        _, writer = await asyncio.open_connection(HERE, port, ssl=older)  # it is a server of older ones
        assert writer.get_extra_info("cipher")[1] == "TLSv1.0"
        writer.close()


async def test_a_broker_that_does_not_know_the_password_is_not_trusted() -> None:
    """What aiokafka raises when the server's signature of SCRAM is wrong is a ValueError."""
    attempt = Attempt("broker:9093", "SASL_SSL", "SCRAM-SHA-512", "worker", NO_FILES)
    told = str(refusal(ValueError("Server sent wrong signature!"), attempt))
    assert told.startswith("broker:9093 is not trusted: it did not answer a login by SCRAM-SHA-512")


@pytest.mark.parametrize("iterations", [0, 1, LEAST_ITERATIONS - 1, MOST_ITERATIONS + 1])
async def test_a_broker_that_asks_for_too_little_or_too_much_work_gets_no_proof_of_the_password(
    iterations: int,
) -> None:
    with pytest.raises(ValueError, match=f"{iterations} iterations are asked for"):
        await proof(iterations)


@pytest.mark.parametrize("iterations", [LEAST_ITERATIONS, 4 * LEAST_ITERATIONS])
async def test_a_broker_that_asks_for_as_much_as_kafkas_do_gets_it(iterations: int) -> None:
    assert b",p=" in await proof(iterations)


async def proof(iterations: int) -> bytes:
    """What a connection answers a broker that has so many iterations of a user."""
    login = Connection(
        HERE, 9, sasl_mechanism="SCRAM-SHA-512", sasl_plain_username="worker", sasl_plain_password=SECRET
    ).authenticator_scram()
    first, _ = await login.step(None)
    nonce = first.rpartition(b"r=")[2].decode()
    answer, _ = await login.step(f"r={nonce}more,s=c2FsdA==,i={iterations}".encode())
    assert isinstance(answer, bytes)
    return answer


async def test_a_broker_that_refuses_a_token_twice_has_not_let_it_in(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("token")
    login = Bearer(sasl_oauth_token_provider=TokenFile(path))
    await login.step(None)
    assert await login.step(b'{"status": "invalid_token"}') == (b"\x01", True)
    with pytest.raises(SaslAuthenticationFailed):
        await login.step(b"")


async def test_a_host_that_is_no_name_is_told_as_that() -> None:
    with pytest.raises(NotConnectedError, match=r"^a{64}:9092 is no name that can be looked up$"):
        await connect("a" * 64, 9092, security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN")


async def test_brokers_that_cannot_be_begun_with_are_logged_only_where_another_can(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where none can be, the error tells of all of them."""
    monkeypatch.setattr("aiokafka.conn.random.shuffle", lambda _: None)
    one, another = (f"{HERE}:{port}" for port in free_ports(2))
    told = f"^{one}: Connection refused; {another}: Connection refused$"
    with pytest.raises(NotConnectedError, match=told):
        async with asking_brokers(Settings(bootstrap_servers=f"{one},{another}")):
            pass
    assert caplog.text == ""
    with EmbeddedBroker(because="it answers") as broker:
        async with asking_brokers(Settings(bootstrap_servers=f"{one},{broker.bootstrap}")):
            pass
    (line,) = caplog.messages
    assert line.startswith(f'Unable connect to "{one}": ')


def test_what_is_logged_in_a_command_is_not_among_what_it_prints() -> None:
    said = "import structlog; structlog.get_logger().warning('renewed', error='why')"
    program = f"from worker.stream.unlogged import log_to_standard_error as to\nto()\n{said}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "renewed" in done.stderr


def test_a_secret_is_the_former_one_while_its_file_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("first\n")
    secret = SecretFile(path, "MMS_SASL_PASSWORD_FILE")
    with capture_logs() as logs:
        path.write_text("")
        assert [secret.value(), secret.value()] == ["first", "first"]
        path.unlink()
        assert secret.value() == "first"
        path.write_text("second\r\n")
        assert secret.value() == "second"
    (line,) = logs
    assert line["error"] == f"MMS_SASL_PASSWORD_FILE: the secret's file {path} is empty"


async def test_a_token_file_is_read_for_every_connection(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("header.claims.signature\n")
    tokens = TokenFile(path)
    assert await tokens.token() == "header.claims.signature"
    path.write_text("renewed==")
    assert await tokens.token() == "renewed=="


@pytest.mark.parametrize("content", ["", "\n", "a b", "a\x01auth=Bearer b", "a,b", "a\nb", "ключ", "a=b"])
async def test_what_would_break_the_login_is_no_token_and_is_not_quoted(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(SecurityError, match=f"^MMS_OAUTH_TOKEN_FILE={path} holds no ") as refused:
        await TokenFile(path).token()
    assert "Bearer b" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_argument_of_a_client_holds_a_secret(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("open sesame")
    given = Settings(security_protocol="SASL_SSL", sasl_username="worker", sasl_password_file=secret)
    assert "sesame" not in repr(connection(given))


def test_clients_of_a_process_share_what_is_renewed(pair: TlsFiles) -> None:
    """Or one that is made while a certificate has no key yet would end a worker that others keep going."""
    settings = Settings(
        security_protocol="SSL", tls_ca_file=pair.ca, tls_cert_file=pair.certificate, tls_key_file=pair.key
    )
    first = connection(settings)["ssl_context"]
    assert pair.key is not None
    pair.key.write_bytes(b"")
    assert connection(settings)["ssl_context"] is first
