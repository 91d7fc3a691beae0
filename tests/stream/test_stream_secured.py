"""Brokers that ask who one is and show who they are: each way in, what is refused, what is renewed."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiokafka.conn import CloseReason
from aiokafka.errors import NodeNotReadyError

from tests.stream.certificates import Authority
from tests.stream.inprocess import ready, working
from tests.stream.oracle import assert_exactly_once
from tests.stream.securedkit import PASSWORD, SESSION_MS, USER, Secured, secured
from tests.stream.streamkit import Stream, Worker, claims, until
from tests.stream.tokenkit import Issuer, Service, serving
from worker.devkit.kafka import KafkaBroker
from worker.devkit.process import run
from worker.settings import Settings
from worker.stream.connecting.refusal import NotConnectedError, SecurityError
from worker.stream.connecting.session import Connection
from worker.stream.topics import admin, partition_counts

CLIENT, SECRET = "mms worker", "s3cr&t:%"
ONCE = 400
"""Records of a test that looks whether each has one result."""

Given = dict[str, Any]


@pytest.fixture(scope="module")
def broker(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The module's own. (It asks for the session's, which skips where Kafka cannot be run.)"""
    with secured(tmp_path_factory.mktemp("secured")) as made:
        yield made


@pytest.fixture
async def stream(broker: Secured, prefix: str, tmp_path: Path) -> AsyncIterator[Stream]:
    """Topics and group of the test's own; what the test does itself it does through the open listener."""
    with ExitStack() as ending:
        made = Stream(broker.broker.bootstrap, prefix, tmp_path, ending)
        await made.create_topics()
        yield made


def file(directory: Path, name: str, content: str) -> Path:
    path = directory / name
    path.write_text(content)
    return path


def by_password(directory: Path, mechanism: str, password: str = PASSWORD) -> Given:
    secret = file(directory, "password", f"{password}\n")
    return {"sasl_mechanism": mechanism, "sasl_username": USER, "sasl_password_file": secret}


def by_token(directory: Path, token: str) -> Given:
    return {"sasl_mechanism": "OAUTHBEARER", "oauth_token_file": file(directory, "token", token)}


def by_service(directory: Path, service: Service) -> Given:
    return {
        "sasl_mechanism": "OAUTHBEARER",
        "oauth_token_url": service.url,
        "oauth_client_id": CLIENT,
        "oauth_client_secret_file": file(directory, "secret", SECRET),
        "oauth_scope": "kafka",
    }


def in_here(stream: Stream, given: Given) -> Settings:
    return Settings(**{**stream.settings.model_dump(exclude_unset=True), **given})


def warned(worker: Worker) -> list[str]:
    return [line for line in worker.text.splitlines() if '"level": "warning"' in line or '"error"' in line]


async def cut() -> None:
    """Close every connection of this process, as a broker that is restarted does."""
    for one in gc.get_objects():
        if isinstance(one, Connection) and one.connected():
            one.close(CloseReason.CONNECTION_BROKEN)


@pytest.mark.parametrize("way", ["TLS", "MUTUAL", "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
async def test_a_worker_decides_exactly_once_through(
    stream: Stream, broker: Secured, tmp_path: Path, way: str
) -> None:
    listener = way if way in broker.addresses else "SASL"
    shown: Given = {}
    if way == "MUTUAL":
        shown = broker.client(tmp_path)
    elif listener == "SASL":
        shown = by_password(tmp_path, way)
    records = claims(ONCE, seed=81)
    worker = stream.worker(**broker.settings(listener, **shown))
    await stream.publish(records)
    await stream.drained(ONCE)
    await assert_exactly_once(stream, records)
    assert warned(worker) == []
    assert PASSWORD not in worker.text


async def test_a_worker_with_a_token_file_outlives_session_and_token(
    stream: Stream, broker: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first token is over before the second half comes: what is used then is what the file holds then."""
    closed: list[CloseReason | None] = []

    def close(self: Connection, reason: CloseReason | None = None, exc: Any = None) -> Any:
        closed.append(reason)
        return super(Connection, self).close(reason, exc)

    monkeypatch.setattr(Connection, "close", close)
    records, lasts, now = claims(ONCE, seed=82), 3.0, asyncio.get_running_loop().time
    given = by_token(tmp_path, broker.issuer.token(lasts=lasts))
    over = now() + lasts + SESSION_MS / 1000
    async with working(in_here(stream, broker.settings("OAUTH", **given))) as (engine, running):
        await ready(engine)
        given["oauth_token_file"].write_text(broker.issuer.token())
        await stream.publish(records[: ONCE // 2])
        await stream.drained(ONCE // 2)
        await until(lambda: now() > over, "the first token, and the session with it, to be over")
        assert CloseReason.IDLE_DROP in closed, "no connection was given up before its session was over"
        await stream.publish(records[ONCE // 2 :])
        await stream.drained(ONCE)
        assert not running.done()
    await assert_exactly_once(stream, records)


async def test_a_worker_asks_a_token_service_and_outlives_its_tokens(
    stream: Stream, broker: Secured, tmp_path: Path
) -> None:
    service = Service(broker.issuer, CLIENT, SECRET, lasts=3)
    certificate, key = broker.authority.issue("tokens", ["127.0.0.1"]).save(tmp_path, "tokens")
    records = claims(ONCE, seed=84)
    async with serving(service, certificate=certificate, key=key):
        worker = stream.worker(**broker.settings("OAUTH", **by_service(tmp_path, service)))
        await worker.ready()
        await stream.publish(records[: ONCE // 2])
        await stream.drained(ONCE // 2)
        asked = len(service.asked)
        await until(lambda: len(service.asked) > asked + 1, "two more tokens")
        await stream.publish(records[ONCE // 2 :])
        await stream.drained(ONCE)
        assert service.asked[0] == {"grant_type": "client_credentials", "scope": "kafka"}
        assert service.most_at_once == 1
        assert worker.exit_code is None
    await assert_exactly_once(stream, records)
    assert SECRET not in worker.text


async def test_a_worker_goes_on_with_renewed_certificates_and_cas(
    stream: Stream, broker: Secured, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Broker and worker move to another CA, neither is started anew, and the former is trusted no more."""
    moved = Authority("moved")
    files = broker.client(tmp_path)
    ca = file(tmp_path, "ca.pem", (broker.authority.pem + moved.pem).decode())
    records = claims(ONCE, seed=85)
    given = in_here(stream, broker.settings("MUTUAL", **files) | {"tls_ca_file": ca})
    async with working(given) as (engine, running):
        await ready(engine)
        await stream.publish(records[: ONCE // 2])
        await stream.drained(ONCE // 2)
        try:
            await asyncio.to_thread(broker.show_at_mutual, moved)
            # The key comes later than the certificate: between the two the former pair is used, and refused.
            issued = moved.issue("worker")
            files["tls_cert_file"].write_bytes(issued.certificate)
            await cut()
            await stream.publish(records[ONCE // 2 :])
            await until(lambda: "does not accept the client certificate" in caplog.text, "a refusal")
            files["tls_key_file"].write_bytes(issued.key)
            ca.write_bytes(moved.pem)
            await stream.drained(ONCE)
            assert not running.done()
            with pytest.raises(SecurityError, match="does not accept the client certificate"):
                await ask(
                    broker.settings("MUTUAL", **broker.client(tmp_path, "former")) | {"tls_ca_file": ca}
                )
        finally:
            await asyncio.to_thread(broker.show_at_mutual, broker.authority)
    await assert_exactly_once(stream, records)


async def test_a_worker_goes_on_with_a_renewed_password(
    stream: Stream, broker: Secured, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Meanwhile it says why it is not let in, and waits."""
    user = "rotated"
    await asyncio.to_thread(broker.user, user, "the first")
    given = by_password(tmp_path, "SCRAM-SHA-512", "the first") | {"sasl_username": user}
    records = claims(ONCE, seed=86)
    async with working(in_here(stream, broker.settings("SASL", **given))) as (engine, running):
        await ready(engine)
        await stream.publish(records[: ONCE // 2])
        await stream.drained(ONCE // 2)
        await asyncio.to_thread(broker.user, user, "the second")
        await cut()
        await stream.publish(records[ONCE // 2 :])
        await until(lambda: "does not let user rotated in by SCRAM-SHA-512" in caplog.text, "a refusal")
        given["sasl_password_file"].write_text("")  # as whoever writes it may leave it for a moment
        given["sasl_password_file"].write_text("the second\n")
        await stream.drained(ONCE)
        assert not running.done()
    await assert_exactly_once(stream, records)


async def ask(given: Given) -> None:
    """Do what a client does first."""
    async with admin(Settings(request_timeout_s=5, **given)) as client:
        await partition_counts(client)


def unknown_ca(broker: Secured, directory: Path) -> Given:
    return broker.settings("TLS") | {"tls_ca_file": file(directory, "other.pem", Authority("x").pem.decode())}


def client_of_another_ca(broker: Secured, directory: Path) -> Given:
    return broker.settings("MUTUAL", **broker.client(directory, authority=Authority("x")))


REFUSED: Mapping[str, tuple[Any, str]] = {
    "another name": (
        lambda broker, _: broker.settings("NAMED"),
        r"is not trusted: .*\(IP address mismatch, certificate is not valid for '127.0.0.1'.*advertised",
    ),
    "an expired certificate": (
        lambda broker, _: broker.settings("EXPIRED"),
        r"is not trusted: .*\(certificate has expired\); renew it at the broker",
    ),
    "an unknown CA": (
        unknown_ca,
        r"is not trusted: .*\(unable to get .*no CA in MMS_TLS_CA_FILE=\S+other.pem",
    ),
    "a CA the system does not know": (
        lambda broker, _: broker.settings("TLS") | {"tls_ca_file": None},
        r"is not trusted: .*set MMS_TLS_CA_FILE",
    ),
    "no client certificate": (
        lambda broker, _: broker.settings("MUTUAL"),
        "asks for a client certificate; set MMS_TLS_CERT_FILE",
    ),
    "a client certificate of another CA": (
        client_of_another_ca,
        "does not accept the client certificate; renew MMS_TLS_CERT_FILE",
    ),
    "a wrong password": (
        lambda broker, directory: broker.settings("SASL", **by_password(directory, "SCRAM-SHA-512", "wrong")),
        "does not let user worker in by SCRAM-SHA-512; see MMS_SASL_USERNAME and MMS_SASL_PASSWORD_FILE",
    ),
    "a wrong password of PLAIN": (
        lambda broker, directory: broker.settings("SASL", **by_password(directory, "PLAIN", "wrong")),
        "does not let user worker in by PLAIN; see MMS_SASL_USERNAME and MMS_SASL_PASSWORD_FILE",
    ),
    "another mechanism": (
        lambda broker, directory: broker.settings("OAUTH", **by_password(directory, "SCRAM-SHA-512")),
        "takes no login by SCRAM-SHA-512; see MMS_SASL_MECHANISM",
    ),
    "a login where there is none": (
        lambda broker, directory: (
            broker.settings("TLS", **by_password(directory, "PLAIN")) | {"security_protocol": "SASL_SSL"}
        ),
        "takes no login on this port; see MMS_SECURITY_PROTOCOL",
    ),
    "a token that somebody else has signed": (
        lambda broker, directory: broker.settings("OAUTH", **by_token(directory, Issuer().token())),
        "does not accept the bearer token; see MMS_OAUTH_TOKEN_FILE",
    ),
    "a token that is over": (
        lambda broker, directory: broker.settings(
            "OAUTH", **by_token(directory, broker.issuer.token(lasts=-120))
        ),
        "does not accept the bearer token; see MMS_OAUTH_TOKEN_FILE",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_brokers_and_worker_refuse_is_one_line_that_names_the_setting(
    broker: Secured, tmp_path: Path, case: str
) -> None:
    make, told = REFUSED[case]
    with pytest.raises(SecurityError, match=f"^[0-9a-z.]+:[0-9]+ {told}") as refused:
        await ask(make(broker, tmp_path))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("listener", "protocol"), [("TLS", "PLAINTEXT"), ("SASL", "SSL"), (None, "SSL")])
async def test_a_broker_that_closes_the_connection_is_told_with_the_setting_that_may_be_wrong(
    broker: Secured, listener: str | None, protocol: str
) -> None:
    address = broker.broker.bootstrap if listener is None else broker.addresses[listener]
    tls = {"tls_ca_file": broker.ca} if protocol == "SSL" else {}
    with pytest.raises(NotConnectedError, match=f"listener for MMS_SECURITY_PROTOCOL={protocol}"):
        await ask({"bootstrap_servers": address, "security_protocol": protocol, **tls})


async def test_a_name_that_is_wrong_only_where_brokers_tell_it_is_told_too(broker: Secured) -> None:
    port = broker.addresses["NAMED"].rpartition(":")[2]
    with pytest.raises(
        NodeNotReadyError, match=r"127.0.0.1.* is not trusted.*advertised.listeners"
    ) as refused:
        await ask(broker.settings("NAMED") | {"bootstrap_servers": f"localhost:{port}"})
    assert isinstance(refused.value.__cause__, SecurityError)


async def test_one_broker_that_refuses_is_no_reason_to_stop_while_another_may_come_back(
    broker: Secured,
) -> None:
    refusing = broker.settings("EXPIRED")
    servers = f"{refusing['bootstrap_servers']},127.0.0.1:1"
    with pytest.raises(NotConnectedError, match=r"certificate has expired") as told:
        await ask(refusing | {"bootstrap_servers": servers})
    assert not isinstance(told.value, SecurityError)
    assert "127.0.0.1:1: " in str(told.value)
    await ask(refusing | {"bootstrap_servers": f"{servers},{broker.addresses['TLS']}"})


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
async def test_a_worker_does_not_start_where_it_cannot_be_let_in(
    stream: Stream, broker: Secured, address: str
) -> None:
    port = broker.addresses["NAMED"].rpartition(":")[2]
    given = broker.settings("NAMED") | {"bootstrap_servers": f"{address}:{port}"}
    worker = stream.worker(**given)
    assert await worker.ended() == 2
    (line,) = worker.said("worker stops")
    assert "is not trusted" in line["reason"]
    if address == "127.0.0.1":  # the name that brokers tell is tried by aiokafka, which logs it
        assert worker.text.count("is not trusted") == 1


@pytest.mark.parametrize(
    "arguments", [("topics", "check"), ("status",), ("dlq", "list"), ("replay", "--out", "OUT")]
)
async def test_a_command_that_is_not_let_in_says_so_in_one_line(
    stream: Stream, broker: Secured, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    given = broker.settings("SASL", **by_password(tmp_path, "SCRAM-SHA-512", "wrong"))
    words = [str(tmp_path / "out") if word == "OUT" else word for word in arguments]
    done = await asyncio.to_thread(run, stream.command(*words, **given), 60)
    assert done.returncode == 2
    (line,) = done.stdout.splitlines()
    assert line.startswith("mms-worker: ")
    assert "does not let user worker in by SCRAM-SHA-512; see MMS_SASL_USERNAME" in line
    assert "wrong" not in line
