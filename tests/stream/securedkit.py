"""A real broker with a listener for each way to be let in, and what one needs to be."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.stream.certificates import HERE, HOUR, Authority, Issued
from tests.stream.streamkit import LOOK_S, PATIENCE_S, Stuck
from tests.stream.tokenkit import AUDIENCE, Issuer
from worker.devkit.kafka import KafkaBroker, Listener
from worker.devkit.ports import free_ports

USER = "worker"
PASSWORD = "open sesame"  # noqa: S105  a test's
SESSION_MS = 2000
"""How long a login by a bearer token lasts, at the listener OAUTH (KIP-368)."""
PROTOCOLS = {
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "EXPIRED": "SSL",
    "NAMED": "SSL",
    "SASL": "SASL_SSL",
    "OAUTH": "SASL_SSL",
}
"""The listeners. NAMED has a certificate for ``localhost`` alone, all are advertised as 127.0.0.1."""
LOGIN = "org.apache.kafka.common.security"
MECHANISMS: Mapping[str, Mapping[str, str]] = {
    "SASL": {
        "scram-sha-512": f"{LOGIN}.scram.ScramLoginModule required;",
        "scram-sha-256": f"{LOGIN}.scram.ScramLoginModule required;",
        "plain": f'{LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
    },
    "OAUTH": {
        "oauthbearer": f"{LOGIN}.oauthbearer.OAuthBearerLoginModule required "
        'unsecuredLoginStringClaim_sub="broker";',
    },
}


class Secured:
    """A broker and its secrets. ``addresses`` are those of its listeners, by name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority, self.issuer = Authority("brokers"), Issuer()
        self.ca = directory / "ca.pem"
        self.ca.write_bytes(self.authority.pem)
        keys = directory / "jwks.json"
        keys.write_bytes(self.issuer.key_set)
        ports = dict(zip(PROTOCOLS, free_ports(len(PROTOCOLS)), strict=True))
        self.addresses = {name: f"{HERE}:{port}" for name, port in ports.items()}
        store = self._stored("broker", self.authority.issue("broker", [HERE]))
        expired = self._stored("expired", self.authority.issue("broker", [HERE], until=-HOUR))
        named = self._stored("named", self.authority.issue("broker", ["localhost"]))
        self.broker = KafkaBroker(
            directory / "kafka",
            listeners=[Listener(name, port, port, PROTOCOLS[name]) for name, port in ports.items()],
            settings={
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(store),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(self.ca),
                "listener.name.expired.ssl.keystore.location": str(expired),
                "listener.name.named.ssl.keystore.location": str(named),
                "listener.name.mutual.ssl.client.auth": "required",
                **_logins(keys.as_uri()),
            },
            jvm=[f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys.as_uri()}"],
        )

    def settings(self, listener: str, **more: Any) -> dict[str, Any]:
        """What the settings of a client must be at a listener, beside how it shows who it is."""
        return {
            "bootstrap_servers": self.addresses[listener],
            "security_protocol": PROTOCOLS[listener],
            "tls_ca_file": self.ca,
            **more,
        }

    def client(
        self, directory: Path, name: str = "worker", authority: Authority | None = None
    ) -> dict[str, Any]:
        """A client certificate as the settings name it."""
        certificate, key = (authority or self.authority).issue(name).save(directory, name)
        return {"tls_cert_file": certificate, "tls_key_file": key}

    def user(self, name: str, password: str) -> None:
        """Let a user in by SCRAM, with this password from now on."""
        client = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        wanted = [
            UserScramCredentialUpsertion(name, ScramCredentialInfo(mechanism, 4096), password.encode())
            for mechanism in (ScramMechanism.SCRAM_SHA_512, ScramMechanism.SCRAM_SHA_256)
        ]
        for one in wanted:
            for done in client.alter_user_scram_credentials([one]).values():
                done.result()

    def show_at_mutual(self, authority: Authority) -> None:
        """Have the listener MUTUAL show a certificate of this CA, and accept clients of it alone."""
        store = self._stored("moved", authority.issue("broker", [HERE]))
        trusted = self.directory / "moved.ca.pem"
        trusted.write_bytes(authority.pem)
        client = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        prefix = "listener.name.mutual.ssl"
        changed = {
            f"{prefix}.keystore.type": "PEM",
            f"{prefix}.keystore.location": str(store),
            f"{prefix}.truststore.type": "PEM",
            f"{prefix}.truststore.location": str(trusted),
        }
        wanted = ConfigResource(
            ConfigResource.Type.BROKER,
            "1",
            incremental_configs=[
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                for name, value in changed.items()
            ],
        )
        for done in client.incremental_alter_configs([wanted]).values():
            done.result()
        # It is answered before it is done.
        deadline = time.monotonic() + PATIENCE_S
        while not _shows_one_of(self.addresses["MUTUAL"], authority):
            if time.monotonic() > deadline:
                raise Stuck(f"the broker did not take up new certificates within {PATIENCE_S:g} s")
            time.sleep(LOOK_S)

    def _stored(self, name: str, issued: Issued) -> Path:
        path = self.directory / f"{name}.store.pem"
        path.write_bytes(issued.key + issued.certificate)
        return path


def _shows_one_of(address: str, authority: Authority) -> bool:
    """Whether the certificate that is shown there comes from this CA; in TLS 1.3 ours is asked for later."""
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context(cadata=authority.pem.decode())
    try:
        with socket.create_connection((host, int(port)), 5) as plain:
            context.wrap_socket(plain, server_hostname=host).close()
    except ssl.SSLCertVerificationError:
        return False
    return True


@contextmanager
def secured(directory: Path) -> Iterator[Secured]:
    """The broker, with one user of SCRAM."""
    made = Secured(directory)
    with made.broker:
        made.user(USER, PASSWORD)
        yield made


def _logins(keys: str) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "listener.name.oauth.oauthbearer.sasl.server.callback.handler.class": (
            f"{LOGIN}.oauthbearer.OAuthBearerValidatorCallbackHandler"
        ),
        "listener.name.oauth.oauthbearer.sasl.oauthbearer.jwks.endpoint.url": keys,
        "listener.name.oauth.oauthbearer.sasl.oauthbearer.expected.audience": AUDIENCE,
        "listener.name.oauth.oauthbearer.connections.max.reauth.ms": SESSION_MS,
    }
    for listener, mechanisms in MECHANISMS.items():
        prefix = f"listener.name.{listener.lower()}"
        found[f"{prefix}.sasl.enabled.mechanisms"] = ",".join(mechanisms).upper()
        for mechanism, jaas in mechanisms.items():
            found[f"{prefix}.{mechanism}.sasl.jaas.config"] = jaas
    return found
